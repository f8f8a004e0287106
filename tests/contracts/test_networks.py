"""Broken contracts of a custom task's network and meter are found, even without a sequence model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.contracts.built import shaken, undisturbed
from seqlab.contracts.networks import check_batch, check_meter, check_targets, first_rows
from seqlab.core.batch import Batch, Split
from seqlab.core.network import Network, StepOutput
from seqlab.core.state import State
from seqlab.data.batches import TokenBatch
from seqlab.data.series_windows import ForecastBatch
from seqlab.errors import ConfigError
from seqlab.networks.quantile_regressor import QuantileRegressor
from tests.conftest import TASKS, tiny_config, tiny_network, tiny_task


class Peeking(Network[Any]):
    """A custom network that reads `field` shifted by `by` positions, with the cross entropy as its loss."""

    def __init__(self, inside: Network[Any], field: str, by: int) -> None:
        super().__init__()
        self.inside, self.field, self.by = inside, field, by
        self.reads = nn.Embedding(3000, 3000)

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        return self.inside.initial_state(rows, cached=cached)

    def forward(self, batch: Any, state: State) -> StepOutput:
        output: StepOutput = self.inside(batch, state)
        value: Tensor = getattr(batch, self.field)
        if value.dim() == 2:
            value = value.roll(-self.by, 1)
        seen = self.reads(value.clamp(min=0))[..., : output.logits.shape[-1]]
        logits = output.logits + seen
        targets = next(getattr(batch, name) for name in ("targets_BT", "labels_B", "target_BT") if hasattr(batch, name))
        ignore = 0 if hasattr(batch, "target_BT") else -100
        nats = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), ignore_index=ignore, reduction="sum")
        return replace(output, logits=logits, loss_sum=nats)


def _peeking(task: str, field: str, by: int) -> tuple[Any, Peeking]:
    config = tiny_config("rnn", task)
    return tiny_task(config), Peeking(tiny_network(config), field, by)


PEEKS = [
    ("char_lm", "targets_BT", 0),
    ("char_lm", "inputs_BT", 1),
    ("char_lm", "inputs_BT", 3),
    ("translation", "target_BT", 0),
    ("translation", "target_BT", 2),
    ("sentiment", "labels_B", 0),
]


@pytest.mark.parametrize(("task", "field", "by"), PEEKS)
def test_a_network_that_reads_its_answers_is_caught(task: str, field: str, by: int) -> None:
    made, network = _peeking(task, field, by)
    with undisturbed(), pytest.raises(ConfigError, match=r"depends on the (target|label)"):
        check_targets(made, network, "model=peeking")


class Scaled(Peeking):
    """The same with another loss than the plain cross entropy."""

    def forward(self, batch: Any, state: State) -> StepOutput:
        output = super().forward(batch, state)
        return replace(output, loss_sum=1.4427 * output.loss_sum)


@pytest.mark.parametrize(("task", "field", "by"), [peek for peek in PEEKS if peek[1] == "inputs_BT"])
def test_a_leak_is_caught_whatever_the_loss(task: str, field: str, by: int) -> None:
    config = tiny_config("rnn", task)
    network = Scaled(tiny_network(config), field, by)
    with undisturbed(), pytest.raises(ConfigError, match="depends on the target"):
        check_targets(tiny_task(config), network, "model=peeking")


def test_what_cannot_be_checked_is_reported() -> None:
    """Predictions made from the targets, with an unknown loss: no field changes the loss alone."""
    config = tiny_config("rnn", "char_lm")
    made = tiny_task(config)
    with undisturbed():
        assert "was not recognised" in check_targets(made, Scaled(tiny_network(config), "targets_BT", 0), "model=x")
        assert check_targets(made, Scaled(tiny_network(config), "inputs_BT", 0), "model=x") == ""


class Regressing(Network[Any]):
    """Real values, each predicted from those up to its position and from `ahead` more."""

    def __init__(self, ahead: int) -> None:
        super().__init__()
        self.ahead, self.mix = ahead, nn.Linear(1, 1)

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        return ()

    def forward(self, batch: Any, state: State) -> StepOutput:
        read = self.mix(batch.inputs_BT[..., None].roll(-self.ahead, 1))
        loss = ((read[..., 0] - batch.targets_BT) ** 2).sum()
        return StepOutput(loss, (), read)


@pytest.mark.parametrize("ahead", [0, 1])
def test_real_valued_predictions_are_checked_like_tokens(ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tiny_task(tiny_config("rnn", "char_lm"))

    def batches(_: Split, __: int) -> Iterator[Batch]:
        series = torch.randn(4, 13, generator=torch.Generator().manual_seed(0))
        yield TokenBatch(target_count=48, positions=48, inputs_BT=series[:, :-1], targets_BT=series[:, 1:])

    monkeypatch.setattr(made, "batches", batches)
    with undisturbed():
        if ahead:
            with pytest.raises(ConfigError, match="depends on the target"):
                check_targets(made, Regressing(ahead), "model=x")
        else:
            assert check_targets(made, Regressing(ahead), "model=x") == ""


def test_a_network_that_reads_earlier_values_is_accepted() -> None:
    made, network = _peeking("char_lm", "inputs_BT", 0)
    with undisturbed():
        check_targets(made, network, "model=honest")


@pytest.mark.parametrize("task", TASKS)
def test_rows_of_a_network_stay_apart(task: str) -> None:
    config = tiny_config("rnn", task)
    network = tiny_network(config)

    network.register_forward_hook(lambda _, __, output: replace(output, logits=output.logits + output.logits.mean(0)))
    with undisturbed(), pytest.raises(ConfigError, match="predictions for a row depend on"):
        check_targets(tiny_task(config), network, "model=mixing")


def test_a_network_that_peeks_at_a_transcript_is_caught() -> None:
    """Its characters are aligned with no position: in training no prediction may depend on any of them, and if the
    predictions of an evaluation do, it is said that the targets were not recognised."""
    config = tiny_config("rnn", "transcription")
    task, network = tiny_task(config), tiny_network(config)
    assert check_targets(task, network, "model=honest") == ""
    modes = {True}

    def peek(_: object, given: tuple[Any, ...], output: StepOutput) -> StepOutput:
        share = given[0].target_BU.float().mean(1)[:, None, None]
        return replace(output, logits=output.logits + share) if network.training in modes else output

    network.register_forward_hook(peek)
    with (
        undisturbed(),
        pytest.raises(ConfigError, match=r"depends on the target at position \d+ or later \(in training\)"),
    ):
        check_targets(task, network, "model=peeking")
    modes.add(False)
    with undisturbed():
        assert "not recognised" in check_targets(task, network, "model=peeking")


def test_a_meter_without_its_primary_metric_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config("rnn", "char_lm")
    task, network = tiny_task(config), tiny_network(config)
    meter = task.meter("validation")
    monkeypatch.setattr(meter, "primary", "nothing")
    monkeypatch.setattr(task, "meter", lambda _: meter)
    with pytest.raises(ConfigError, match="nothing, is not among those that it computes"):
        check_meter(task, network, "model=rnn")


@pytest.mark.parametrize(
    ("weight", "what"),
    [(float("nan"), "loss of the first batch is nan"), (float("inf"), "loss of the first batch is")],
)
def test_a_first_batch_that_is_not_finite_is_caught(weight: float, what: str) -> None:
    config = tiny_config("rnn", "char_lm")
    task, network = tiny_task(config), tiny_network(config)
    with torch.no_grad():
        next(network.parameters()).fill_(weight)
    with undisturbed(), pytest.raises(ConfigError, match=what):
        check_batch(task, network, "model=rnn")


@pytest.mark.parametrize("seed", [17, 25])  # of those up to 40 the ones at which the two losses agree within 1e-4
def test_inputs_that_are_nearly_the_targets_are_not_taken_for_them(seed: int) -> None:
    config = tiny_config("rnn", "copy", "task.length=400")
    task = tiny_task(config)
    torch.manual_seed(seed)
    assert check_targets(task, task.build_network(config.model), "rnn") == ""


def test_inputs_with_the_very_loss_of_the_targets_are_not_taken_for_them() -> None:
    """The inputs of copying hold a delimiter where the targets hold a blank: with the right score for it, both have the
    same cross entropy."""
    config = tiny_config("rnn", "copy")
    task = tiny_task(config)
    network: Any = tiny_network(config)
    batch: Any = first_rows(next(iter(task.batches("validation", 0))))
    (delimiter,) = set(batch.inputs_BT.unique().tolist()) - set(batch.targets_BT.unique().tolist())

    def difference() -> Any:
        logits_BTV = network(batch, network.initial_state(batch.size)).logits.double()
        read, target = (
            F.cross_entropy(logits_BTV.mT, part_BT, reduction="sum") for part_BT in (batch.inputs_BT, batch.targets_BT)
        )
        return read - target

    with undisturbed(), torch.no_grad():
        with shaken(network, 0.1, 1):
            raised = difference() / batch.size  # each row has one delimiter, and the normalisers are the same in both
        network.head.bias[delimiter] += raised
        with shaken(network, 0.1, 1):
            assert float(difference().abs()) < 1e-4
        assert check_targets(task, network, "rnn") == ""


class PeekingAtValues(QuantileRegressor):
    """A forecaster of several values at each position, and of quantiles of each, that reads its targets in training."""

    def forward(self, batch: ForecastBatch, state: State) -> StepOutput:
        peek_BT1 = batch.targets_BTK.mean(-1, keepdim=True) if self.training else 0.0
        return super().forward(replace(batch, inputs_BTF=batch.inputs_BTF + peek_BT1), state)


def test_a_forecaster_that_reads_its_targets_is_caught() -> None:
    """Though the first batch of validation has no targets and only carries the state on."""
    task = next(name for name in TASKS if isinstance(tiny_network(tiny_config("gru", name)), QuantileRegressor))
    config = tiny_config("gru", task)
    made, honest = tiny_task(config), tiny_network(config)
    assert not next(iter(made.batches("validation", 0))).scored
    with undisturbed():
        assert check_targets(made, honest, "model=gru") == ""
    assert isinstance(honest, QuantileRegressor)
    levels = [round(level, 6) for level in honest.level_Q.tolist()]
    targets = honest.head.out_features // len(levels)
    network = PeekingAtValues(honest.embed.in_features, targets, levels, config.model)
    with undisturbed(), pytest.raises(ConfigError, match=r"depends on the target .* \(in training\)"):
        check_targets(made, network, "model=peeking")


def test_a_mask_that_equals_the_labels_is_not_taken_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """True equals 1: where all labels are 1, so is the mask of the rows whose text ends."""
    config = tiny_config("rnn", "sentiment")
    task = tiny_task(config)
    batch: Any = next(iter(task.batches("validation", 0)))
    ones = replace(batch, labels_B=torch.ones_like(batch.labels_B))
    assert bool(ones.ends_B.all())
    monkeypatch.setattr(task, "batches", lambda *_: iter([ones]))
    with undisturbed():
        assert check_targets(task, tiny_network(config), "rnn") == ""
