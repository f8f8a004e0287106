"""Contracts of models on tasks. The pairs come from the config files: a new file is covered automatically."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.contracts.check import check_everything
from seqlab.core.batch import Batch
from seqlab.core.model import Memory, Role, SequenceModel
from seqlab.core.state import State, detach, same_shapes, select_rows, tensors
from seqlab.data.vocabulary import PAD
from seqlab.errors import ConfigError
from seqlab.training.device import Device
from seqlab.training.trainer import Trainer
from tests.conftest import MODELS, PAIRS, TASKS, causal_overrides, config_of, tiny_config, tiny_network, tiny_task

CPU = Device(torch.device("cpu"), "fp32", compile=False)
B, T, D = 3, 9, 16


def _model(name: str, role: Role, *overrides: str) -> SequenceModel:
    torch.manual_seed(1)
    return tiny_config(name, "char_lm", *overrides).model.build(role).eval()


def _memory(steps: int = 5) -> Memory:
    torch.manual_seed(2)
    valid_BS = torch.arange(steps) < torch.tensor([steps, 3, 1])[:, None]
    return Memory(torch.randn(B, steps, D), valid_BS, torch.randn(B, D))


def _trainer(model: str, task: str, *overrides: str) -> Trainer[Any]:
    config = tiny_config(model, task, *overrides)
    return Trainer(tiny_task(config), tiny_network(config), config.optim, config.trainer, CPU, seed=0, folder=None)


@pytest.mark.parametrize(("model", "task"), [(model, task) for model in MODELS for task in TASKS])
def test_every_contract_is_met(model: str, task: str) -> None:
    """The checks of `seqlab check`, which are more than those before training."""
    config = tiny_config(model, task)
    found = list(check_everything(tiny_task(config), config.model, f"model={model}"))
    assert [broken for broken in found if broken.failure] == []
    assert {result.part for result in found} >= {"network", "meter"}


@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_loss_falls_on_one_batch(model: str, task: str) -> None:
    trainer = _trainer(model, task, "optim.learning_rate=0.02", "optim.schedule=constant", "optim.warmup_steps=0")
    batch = next(iter(trainer.task.batches("train", 0)))
    losses = [float(trainer.update([batch], 0.02)[0]) for _ in range(80)]
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_the_same_seed_gives_the_same_weights_however_often_it_is_evaluated(model: str, task: str) -> None:
    def weights(every: int) -> list[Tensor]:
        trainer = _trainer(model, task, "model.dropout=0.2", f"trainer.eval_every_steps={every}")
        torch.manual_seed(3)
        trainer.fit()
        return [p.detach().clone() for p in trainer.network.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(weights(1), weights(1000), strict=True))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("role", [Role.DECODER, Role.CROSS_DECODER])
def test_no_output_depends_on_the_future(model: str, role: Role) -> None:
    decoder, memory = _model(model, role), _memory()
    x_BTD = torch.randn(B, T, D, requires_grad=True)
    y_BTD, _ = decoder(x_BTD, decoder.initial_state(B), memory=memory if role is Role.CROSS_DECODER else None)
    for t in range(T):
        (gradient_BTD,) = torch.autograd.grad(y_BTD[:, t].square().sum(), x_BTD, retain_graph=True)
        assert gradient_BTD[:, t + 1 :].abs().sum() == 0
        assert gradient_BTD[:, 0].abs().min() > 0  # and the first position is seen by all


@pytest.mark.parametrize("model", MODELS)
def test_an_encoder_reads_all_valid_positions_and_no_padding(model: str) -> None:
    encoder = _model(model, Role.ENCODER)
    x_BTD = torch.randn(B, T, D, requires_grad=True)
    valid_BT = torch.arange(T) < torch.tensor([T, 6, 1])[:, None]
    memory = encoder.encode(x_BTD, valid_BT)
    (gradient_BTD,) = torch.autograd.grad(memory.final_BD.square().sum(), x_BTD)
    seen_BT = gradient_BTD.abs().sum(-1) > 0
    assert torch.equal(seen_BT, valid_BT)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("role", list(Role))
def test_padding_changes_nothing(model: str, role: Role) -> None:
    sequence_model, memory = _model(model, role), _memory()
    x_BTD, valid_BT = torch.randn(B, T, D), torch.ones(B, T, dtype=torch.bool)
    more_BTD = torch.cat((x_BTD, 100 * torch.randn(B, 4, D)), 1)
    more_valid_BT = torch.cat((valid_BT, torch.zeros(B, 4, dtype=torch.bool)), 1)
    state = sequence_model.initial_state(B)
    more_memory = Memory(
        torch.cat((memory.values_BSD, 100 * torch.randn(B, 3, D)), 1),
        torch.cat((memory.valid_BS, torch.zeros(B, 3, dtype=torch.bool)), 1),
        memory.final_BD,
    )
    y_BTD, _ = sequence_model(x_BTD, state, valid_BT=valid_BT, memory=memory)
    z_BTD, _ = sequence_model(more_BTD, state, valid_BT=more_valid_BT, memory=more_memory)
    torch.testing.assert_close(z_BTD[:, :T], y_BTD, rtol=1e-4, atol=1e-5)
    if role is not Role.CROSS_DECODER:
        a, b = sequence_model.encode(x_BTD, valid_BT), sequence_model.encode(more_BTD, more_valid_BT)
        torch.testing.assert_close(b.final_BD, a.final_BD, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("role", [Role.DECODER, Role.CROSS_DECODER])
@pytest.mark.parametrize("pieces", [[1] * T, [4, 5], [2, 1, 6]])
def test_windows_equal_the_whole_sequence(model: str, role: Role, pieces: list[int]) -> None:
    decoder, memory, x_BTD = _model(model, role), _memory(), torch.randn(B, T, D)
    whole_BTD, _ = decoder(x_BTD, decoder.initial_state(B), memory=memory)
    parts: list[Tensor] = []
    with torch.no_grad():
        state = decoder.initial_state(B, capacity=T)
        for piece_BTD in x_BTD.split(pieces, 1):
            y_BTD, state = decoder(piece_BTD, detach(state), memory=memory)
            parts.append(y_BTD)
    torch.testing.assert_close(torch.cat(parts, 1), whole_BTD, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_rows_of_a_state_can_be_selected(model: str) -> None:
    decoder, x_BTD = _model(model, Role.DECODER), torch.randn(B, T, D)
    rows_R = torch.tensor([2, 0])

    def after(x: Tensor) -> State:
        state: State = decoder(x, decoder.initial_state(len(x), capacity=T))[1]
        return state

    with torch.no_grad():
        x1_BTD = torch.randn(2, 1, D)
        y_BTD, _ = decoder(x1_BTD, select_rows(after(x_BTD[:, :-1]), rows_R))
        expected_BTD, _ = decoder(x1_BTD, after(x_BTD[rows_R, :-1]))
    torch.testing.assert_close(y_BTD, expected_BTD, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_a_batch_in_windows_has_the_loss_of_the_whole(model: str, task: str) -> None:
    config = tiny_config(model, task, *causal_overrides(task))
    network, batch = tiny_network(config), next(iter(tiny_task(config).batches("train", 0)))
    if type(batch).windows is Batch.windows:
        with pytest.raises(ConfigError, match="cannot be cut along time"):
            tiny_task(config).check_windows(5, network)
        return
    if config.model.build(Role.DECODER).initial_state(1) == ():
        # a model that carries nothing reads each window by itself: fine for a stream, senseless for a label
        if batch.target_count == batch.size:
            with pytest.raises(ConfigError, match="carries nothing"):
                tiny_task(config).check_windows(5, network)
        assert sum(window.target_count for window in batch.windows(5)) == batch.target_count
        return
    whole = network(batch, network.initial_state(batch.size))
    state, nats, targets, positions = network.initial_state(batch.size), torch.zeros(()), 0, 0
    for index, window in enumerate(batch.windows(5)):
        assert window.continues == (index > 0)
        output = network(window, detach(state))
        state, nats = output.state, nats + output.loss_sum
        targets, positions = targets + window.target_count, positions + window.positions
    torch.testing.assert_close(nats, whole.loss_sum, rtol=1e-4, atol=1e-4)
    assert (targets, positions) == (batch.target_count, batch.positions)


@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_the_state_depends_on_the_arguments_and_not_on_the_mode(model: str, task: str) -> None:
    network = tiny_network(tiny_config(model, task))
    for cached in (False, True):
        training = network.train().initial_state(3, cached=cached)
        assert same_shapes(training, network.eval().initial_state(3, cached=cached))
    assert network.carries_state() or not any(True for _ in tensors(network.initial_state(1)))


@pytest.mark.parametrize("model", MODELS)
def test_padding_does_not_change_translation(model: str) -> None:
    config = tiny_config(model, "translation")
    network, batch = tiny_network(config).eval(), next(iter(tiny_task(config).batches("validation", 0)))
    wider = {
        name: torch.nn.functional.pad(getattr(batch, name), (0, 5), value=PAD) for name in ("source_BS", "target_BT")
    }
    plain, padded = network(batch, ()), network(dataclasses.replace(batch, **wider), ())
    torch.testing.assert_close(padded.loss_sum, plain.loss_sum, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("task", TASKS)
def test_all_models_see_the_same_data_for_as_many_steps(task: str) -> None:
    """Only size and learning rate are tuned to a model, never the task or the length of training."""
    configs = [config_of(model, task) for model in MODELS]
    assert len({(config.task, config.trainer) for config in configs}) == 1
