"""The gradient view against closed forms, and against gradients computed in another way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.model import ModelConfig, Role, SequenceModel
from seqlab.core.state import State, tensors
from seqlab.data.batches import TokenBatch
from seqlab.insight.norms import NormHistory, norm_history
from seqlab.insight.reach import lag_under, measure
from seqlab.networks.token_lm import TokenLM
from seqlab.tasks.char_lm import CharLM
from tests.conftest import tiny_config, tiny_network, tiny_task

WIDTH, WINDOW = 5, 12


class LinearRNN(SequenceModel):
    """h_t = A h_{t-1} + U x_t: no tanh, so that every gradient through time is a power of A."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.A = torch.nn.Parameter(0.5 * torch.randn(WIDTH, WIDTH, generator=generator))
        self.U = torch.nn.Parameter(torch.randn(WIDTH, WIDTH, generator=generator))

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return (self.A.new_zeros(rows, WIDTH),)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: object = None
    ) -> tuple[Tensor, State]:
        (h_BD,) = state
        assert isinstance(h_BD, Tensor)
        outputs = []
        for x_BD in x_BTD.unbind(1):
            h_BD = h_BD @ self.A.T + x_BD @ self.U.T
            outputs.append(h_BD)
        return torch.stack(outputs, 1), (h_BD,)


@config_dataclass(frozen=True, kw_only=True)
class LinearConfig(ModelConfig):
    def build(self, role: Role) -> SequenceModel:
        return LinearRNN()


def _contexts(rows: int, tokens: int) -> TokenBatch:
    torch.manual_seed(3)
    inputs_BT = torch.randint(0, tokens, (rows, 2 * WINDOW))
    targets_BT = torch.full_like(inputs_BT, -100)
    targets_BT[:, -1] = torch.randint(0, tokens, (rows,))
    return TokenBatch(inputs_BT=inputs_BT, targets_BT=targets_BT, target_count=rows, positions=inputs_BT.numel())


def test_a_linear_network_has_the_gradient_of_its_closed_form() -> None:
    """dL_t / dh_{t-k} = (A^T)^k W^T (p - y), and dL_t / dx_{t-k} = U^T (A^T)^k W^T (p - y)."""
    torch.manual_seed(0)
    network = TokenLM(9, LinearConfig(width=WIDTH, dropout=0.3, tie_embeddings=False), WINDOW).double()
    batch = _contexts(6, 9)
    found = measure(network, [batch], WINDOW)
    model, W_VD = network.decoder, network.head.weight.detach()
    assert isinstance(model, LinearRNN)
    A, U = model.A.detach(), model.U.detach()
    h_BD = torch.zeros(6, WIDTH, dtype=torch.double)
    for x_BD in network.embed(batch.inputs_BT).detach().unbind(1):
        h_BD = h_BD @ A.T + x_BD @ U.T
    share_BV = (h_BD @ W_VD.T + network.head.bias.detach()).softmax(-1)
    wrong_BV = share_BV - torch.nn.functional.one_hot(batch.targets_BT[:, -1], 9)
    state_NK, input_NK = [], []
    for k in range(1, WINDOW + 1):
        back_BD = wrong_BV @ W_VD @ torch.linalg.matrix_power(A, k)
        state_NK.append(back_BD.norm(dim=1))
        input_NK.append((back_BD @ U).norm(dim=1))
    assert found.state_NK is not None
    np.testing.assert_allclose(found.state_NK, torch.stack(state_NK, 1), rtol=1e-5)
    np.testing.assert_allclose(found.input_NK, torch.stack(input_NK[:-1], 1), rtol=1e-5)
    # nothing was left behind: training goes on as before
    assert network.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("model", ["rnn", "lstm", "gru"])
def test_a_recurrent_network_has_the_gradient_of_its_unrolled_kernel(model: str) -> None:
    """Against the kernel run over the last k positions in one go from a state that asks for its gradient."""
    config = tiny_config(model, "char_lm")
    network = tiny_network(config)
    assert isinstance(network, TokenLM)
    batch = _contexts(3, 20)
    found = measure(network, [batch], WINDOW)
    assert found.state_NK is not None
    x_BTD = network.embed(batch.inputs_BT).detach()
    for k in (1, 2, 5, WINDOW):
        with torch.no_grad():
            _, state = network.decoder(x_BTD[:, :-k], network.decoder.initial_state(3))
        leaves = [part.requires_grad_() for layer in state for part in layer]
        y_BTD, _ = network.decoder(x_BTD[:, -k:], state)
        loss = torch.nn.functional.cross_entropy(network.head(y_BTD[:, -1]), batch.targets_BT[:, -1], reduction="sum")
        gradients = torch.cat(torch.autograd.grad(loss, leaves), 1)
        np.testing.assert_allclose(found.state_NK[:, k - 1], gradients.norm(dim=1), rtol=2e-4, atol=1e-9)


def test_a_small_gradient_has_a_norm() -> None:
    """The squares of what fp32 still holds, down to 1e-38, would be 0 in it."""
    torch.manual_seed(0)
    network = TokenLM(9, LinearConfig(width=WIDTH, dropout=0.0, tie_embeddings=False), WINDOW)
    assert isinstance(network.decoder, LinearRNN)
    with torch.no_grad():
        network.decoder.A.copy_(1e-3 * torch.eye(WIDTH))
    state_NK = measure(network, [_contexts(6, 9)], WINDOW).state_NK
    assert state_NK is not None
    np.testing.assert_allclose(state_NK / state_NK[:, :1], 1000.0 ** -np.arange(WINDOW) * np.ones((6, 1)), rtol=1e-4)


def test_the_initial_state_is_left_out() -> None:
    """It is a constant, and where it is 0, a norm has a slope of 1/sqrt(eps)."""
    network = tiny_network(tiny_config("rnn", "char_lm", "model.cell_norm=true"))
    assert isinstance(network, TokenLM)
    batch = _contexts(3, 20)
    whole, half = measure(network, [batch], 2 * WINDOW).state_NK, measure(network, [batch], WINDOW).state_NK
    assert whole is not None
    assert half is not None
    assert whole.shape == (3, 2 * WINDOW - 1)
    np.testing.assert_allclose(whole[:, :WINDOW], half, rtol=1e-4)
    state = network.initial_state(3)
    leaves = [part.requires_grad_() for part in tensors(state)]
    gradients = torch.cat(torch.autograd.grad(network(batch, state).loss_sum, leaves), 1)
    assert (gradients.norm(dim=1).numpy() > 10 * whole[:, -1]).all()


def test_a_transformers_gradient_is_that_of_its_inputs() -> None:
    network = tiny_network(tiny_config("transformer", "char_lm"))
    assert isinstance(network, TokenLM)
    batch = _contexts(3, 20)
    found = measure(network, [batch], WINDOW)
    assert found.state_NK is None
    x_BTD = network.embed(batch.inputs_BT[:, -WINDOW:]).detach().requires_grad_()
    y_BTD, _ = network.decoder(x_BTD, ())
    loss = torch.nn.functional.cross_entropy(network.head(y_BTD[:, -1]), batch.targets_BT[:, -1], reduction="sum")
    (gradient_BTD,) = torch.autograd.grad(loss, [x_BTD])
    np.testing.assert_allclose(found.input_NK, gradient_BTD.norm(dim=2).flip(1)[:, 1:], rtol=1e-4, atol=1e-9)


def test_the_lag_under_one_percent_is_counted_from_one() -> None:
    assert lag_under(np.array([1.0, 0.5, 0.02, 0.009, 0.5])) == 4
    assert lag_under(np.array([0.001, 1.0, 0.5, 0.001])) == 4  # what is before the maximum does not count
    assert lag_under(np.array([1.0, 0.5, 0.02])) is None


def test_contexts_are_the_last_tokens_before_the_same_targets() -> None:
    task = tiny_task(tiny_config("rnn", "char_lm"))
    assert isinstance(task, CharLM)
    whole = torch.cat([batch.inputs_BT for batch in task.contexts("validation", 40, 40, 100)])
    targets = torch.cat([batch.targets_BT[:, -1] for batch in task.contexts("validation", 40, 40, 100)])
    assert len(whole) == 100
    for steps in (1, 7, 40):
        batches = list(task.contexts("validation", steps, 40, 100))
        assert torch.equal(torch.cat([batch.inputs_BT for batch in batches]), whole[:, -steps:])
        assert torch.equal(torch.cat([batch.targets_BT[:, -1] for batch in batches]), targets)
        assert sum(batch.target_count for batch in batches) == 100
        assert all((batch.targets_BT[:, :-1] == -100).all() for batch in batches)
    ids = task.ids["validation"].tolist()
    row = whole[50].tolist()
    places = [i for i in range(len(ids) - 40) if ids[i : i + 40] == row]
    assert any(ids[i + 40] == targets[50] for i in places)


def test_the_history_is_read_from_a_log_with_a_truncated_line(tmp_path: Path) -> None:
    lines = [
        '{"step": 10, "optim/gradient_norm": 0.5, "optim/gradient_norm_max": 2.0}',
        '{"step": 10, "val/loss": 1.0}',
        '{"step": 20, "optim/gradient_norm": null, "optim/gradient_norm_max": null}',
        '{"step": 25, "optim/gradient_norm": 0.5, "optim/gradient_norm_max": 0.75, "optim/nonfinite_steps": 2.0}',
        '{"step": 30, "optim/gr',
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    lines_read = norm_history(tmp_path)
    assert lines_read == [(10, 0.5, 2.0, 0), (25, 0.5, 0.75, 2)]
    assert NormHistory.of(tmp_path, None) == NormHistory(lines_read, None)  # without a checkpoint
    assert NormHistory(lines_read, None).skipped == [25]
    assert norm_history(tmp_path / "nowhere") == []


def test_windows_of_a_batch_keep_what_is_scored() -> None:
    """The view cuts its rows into single steps: only the last of them may have a loss."""
    batch = replace(_contexts(2, 9), continues=False)
    steps = list(batch.windows(1))
    assert [step.target_count for step in steps] == [0] * (2 * WINDOW - 1) + [2]
