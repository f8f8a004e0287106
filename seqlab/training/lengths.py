"""What a network reaches on sequences of other lengths than it was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from seqlab.core.baseline import Baseline, ChanceLevel
from seqlab.core.batch import Split
from seqlab.core.files import number_or_nan
from seqlab.core.meter import Meter
from seqlab.core.model import context_of
from seqlab.core.network import Network
from seqlab.core.offers import offers
from seqlab.core.other_lengths import OtherLengths, other_lengths
from seqlab.core.task import Task
from seqlab.errors import ConfigError
from seqlab.training.device import Device
from seqlab.training.validation import evaluate


@dataclass(frozen=True)
class AtLength:
    """What a network reaches on sequences of one length.

    values: metrics by name; none where it could not have been trained on so many positions.
    interval: of the primary metric, 95 % over sequences.
    chance: the metrics that are reached without learning.
    """

    length: int
    values: Mapping[str, float]
    interval: tuple[float, float]
    chance: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "values": dict(self.values), "chance": dict(self.chance)}

    @classmethod
    def stored(cls, plain: Mapping[str, Any]) -> AtLength:
        """What `as_json` gave. Raises KeyError, TypeError or ValueError for what it did not."""
        low, high = plain["interval"]
        values, chance = (
            {name: number_or_nan(value) for name, value in plain[part].items()} for part in ("values", "chance")
        )
        return cls(plain["length"], values, (number_or_nan(low), number_or_nan(high)), chance)


def lengths_to_evaluate(task: Task[Any], asked: Sequence[int] = ()) -> list[int]:
    """Those that were asked for, else task.eval_lengths, and that of training; none where there is no other. Raises
    ConfigError where some are asked of a task whose sequences have no other length."""
    if not asked and not offers(task, OtherLengths):
        return []
    known = other_lengths(task)
    others = asked or known.eval_lengths()
    return sorted({known.length(), *others}) if others else []


def lengths_around(task: Task[Any]) -> list[int]:
    """The same, and where the task was given none, from a quarter to four times the length of training, as far as it
    has sequences of that length."""
    known = other_lengths(task)
    if known.eval_lengths():
        return lengths_to_evaluate(task)
    trained = known.length()
    found = {trained}
    for length in (trained // 4, trained // 2, 2 * trained, 4 * trained):
        with suppress(ConfigError):
            known.at_length(length)
            found.add(length)
    return sorted(found)


def can_read(network: Network[Any], task: Task[Any], length: int) -> bool:
    """Whether sequences of this length are within what training could have taught: whatever carries a state was trained
    to go on; a model with a limited context never saw the positions that come after those of training."""
    return length <= other_lengths(task).length() or context_of(network) is None


def chance_of(task: Task[Any], split: Split) -> Baseline | None:
    """What is reached on a split without learning; None where the task does not say."""
    return task.chance(split) if offers(task, ChanceLevel) else None


def evaluate_lengths(
    network: Network[Any],
    task: Task[Any],
    lengths: Iterable[int],
    split: Split,
    device: Device,
    seed: int,
    known: Meter[Any],
) -> tuple[AtLength, ...]:
    """What the network reaches on a split of the task at each length. known: the meter of the evaluation at the length
    of training. seed: of the bootstrap."""
    found = []
    for length in lengths:
        trained = length == other_lengths(task).length()
        there = task if trained else other_lengths(task).at_length(length)
        baseline = chance_of(there, split)
        chance = {} if baseline is None else {name: metric.value for name, metric in baseline.metrics.items()}
        values, interval = dict[str, float](), (float("nan"), float("nan"))
        if can_read(network, task, length):
            meter = known if trained else evaluate(network, there.batches(split, 0), there.meter(split), device)
            values = {name: metric.value for name, metric in meter.compute().items()}
            interval = meter.interval(seed)
        found.append(AtLength(length, values, interval, chance))
    return tuple(found)
