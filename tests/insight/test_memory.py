"""The memory view on networks whose memory is known."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.example import context_source
from seqlab.core.metric import Metric
from seqlab.core.model import ModelConfig, Role, SequenceModel
from seqlab.core.state import State
from seqlab.insight.inspected import InspectedRun
from seqlab.insight.memory import Loss, effective, lengths, measure
from seqlab.networks.token_lm import TokenLM
from seqlab.tasks.char_lm import CharLM
from tests.conftest import tiny_config, tiny_network, tiny_task

SEES = 3


class LastThree(SequenceModel):
    """y_t is a weighted sum of x_t, x_{t-1}, x_{t-2}; the state keeps the last two."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return (torch.zeros(rows, SEES - 1, self.width),)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: object = None
    ) -> tuple[Tensor, State]:
        (before_BSD,) = state
        assert isinstance(before_BSD, Tensor)
        all_BTD = torch.cat((before_BSD, x_BTD), 1)
        steps = x_BTD.shape[1]
        y_BTD = sum((n + 1) * all_BTD[:, n : n + steps] for n in range(SEES))
        assert isinstance(y_BTD, Tensor)
        return y_BTD, (all_BTD[:, -(SEES - 1) :],)


@config_dataclass(frozen=True, kw_only=True)
class LastThreeConfig(ModelConfig):
    def build(self, role: Role) -> SequenceModel:
        return LastThree(self.width)


def test_a_network_that_sees_three_tokens_needs_three() -> None:
    config = tiny_config("rnn", "char_lm")
    task = tiny_task(config)
    assert isinstance(task, CharLM)
    torch.manual_seed(0)
    network = TokenLM(len(task.token_vocabulary), LastThreeConfig(width=8, dropout=0.0, tie_embeddings=True), 12)
    run = InspectedRun("last three", Path("nowhere"), config, task, network, 0)
    losses = measure(run, [1, 2, 3, 4, 12, 30], 30)
    values = [loss.metric.value for loss in losses]
    assert values[2:] == pytest.approx([values[2]] * 4, rel=1e-5)
    assert len({round(value, 4) for value in values[:3]}) == 3
    assert all(low < loss.metric.value < high for loss in losses for low, high in [loss.interval])
    # an untrained network may do best by seeing less: what counts is that nothing changes from three on
    enough = effective(losses)
    assert enough is not None
    assert enough <= 3


def test_the_least_context_near_the_best() -> None:
    def losses(*values: float, higher: bool = False) -> list[Loss]:
        return [
            Loss(2**n, Metric(value, "bits/char", higher_is_better=higher), (0.0, 9.0))
            for n, value in enumerate(values)
        ]

    assert effective(losses(5.0, 3.0, 2.01, 2.0)) == 4
    assert effective(losses(5.0, 3.0, 2.03, 2.0)) == 8
    assert effective(losses(0.2, 0.995, 1.0, higher=True)) == 2
    assert effective(losses(float("nan"), 2.01, 2.0)) == 2
    assert effective(losses(float("nan"), float("nan"))) is None


def test_a_transformers_loss_is_that_of_reading_all_at_once() -> None:
    """Its evaluation uses a cache; the view's loss equals that of a plain forward pass over the same rows."""
    config = tiny_config("transformer", "char_lm")
    task, network = tiny_task(config), tiny_network(config)
    assert isinstance(network, TokenLM)
    losses = measure(InspectedRun("it", Path("nowhere"), config, task, network, 0), [1, 5, 12], 12)
    for loss in losses:
        nats = []
        for batch in context_source(task).contexts("validation", loss.context, 12, 1024):
            with torch.no_grad():
                hidden_BTD, _ = network.decoder(network.embed(batch.inputs_BT), ())
                logits_BV, truth_B = network.head(hidden_BTD[:, -1]), batch.targets_BT[:, -1]
            nats.append(torch.nn.functional.cross_entropy(logits_BV, truth_B, reduction="none"))
        assert loss.metric.value == pytest.approx(float(torch.cat(nats).mean()) / math.log(2), rel=1e-5)


def test_lengths_go_up_to_the_window_and_beyond() -> None:
    assert lengths(64, 64) == [1, 2, 4, 8, 12, 16, 24, 32, 48, 64]
    assert lengths(64, 256) == [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 128, 256]
    assert lengths(20, 80) == [1, 2, 4, 8, 12, 16, 20, 32, 64, 80]
    assert lengths(1, 4) == [1, 2, 4]
