"""Evaluation on sequences of other lengths than in training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from seqlab.core.baseline import chance_of
from seqlab.core.batch import Split
from seqlab.core.files import number_or_nan
from seqlab.core.meter import Meter
from seqlab.core.model import readable_positions
from seqlab.core.network import Network
from seqlab.core.offers import offers
from seqlab.core.other_lengths import OtherLengths, other_lengths
from seqlab.core.task import Task
from seqlab.errors import ConfigError
from seqlab.training.device import Device
from seqlab.training.memory import is_out_of_memory
from seqlab.training.validation import evaluate


@dataclass(frozen=True)
class AtLength:
    """A network's evaluation on sequences of one length.

    values: metrics by name; empty if it could not have been trained on so many positions, or if memory ran out.
    interval: of the primary metric, 95 % over sequences.
    chance: the metrics of the chance level.
    failed: why there are no values although the network could read so many positions; else empty.
    """

    length: int
    values: Mapping[str, float]
    interval: tuple[float, float]
    chance: Mapping[str, float]
    failed: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "values": dict(self.values), "chance": dict(self.chance)}

    @classmethod
    def stored(cls, plain: Mapping[str, Any]) -> AtLength:
        """The inverse of `as_json`. Raises KeyError, TypeError or ValueError for other values."""
        low, high = plain["interval"]
        values, chance = (
            {name: number_or_nan(value) for name, value in plain[part].items()} for part in ("values", "chance")
        )
        return cls(plain["length"], values, (number_or_nan(low), number_or_nan(high)), chance, plain.get("failed", ""))


def lengths_to_evaluate(task: Task[Any], requested: Sequence[int] = ()) -> list[int]:
    """The requested lengths, else task.eval_lengths, and the training length; none if there is no other. Raises
    ConfigError if lengths are requested for a task that has no others."""
    if not requested and not offers(task, OtherLengths):
        return []
    known = other_lengths(task)
    others = requested or known.eval_lengths()
    return sorted({known.length(), *others}) if others else []


def lengths_around(task: Task[Any]) -> list[int]:
    """The same; if the task lists none, from a quarter to four times the training length, as far as the task allows."""
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
    """Whether training could have prepared the network for this length: a recurrence goes on as before; a limited
    context has positions that training never reached, and so has a receptive field that it did not fill."""
    return length <= other_lengths(task).length() or readable_positions(network, task.longest()) is None


def evaluate_lengths(
    network: Network[Any],
    task: Task[Any],
    lengths: Iterable[int],
    split: Split,
    device: Device,
    seed: int,
    known: Meter[Any],
) -> tuple[AtLength, ...]:
    """The evaluations on a split of the task at each length. known: the meter of the evaluation at the training length.
    seed: of the bootstrap. A length for which memory does not suffice has no values: the other figures are not lost."""
    found = []
    for length in lengths:
        trained = length == other_lengths(task).length()
        there = task if trained else other_lengths(task).at_length(length)
        baseline = chance_of(there, split)
        chance = {} if baseline is None else {name: metric.value for name, metric in baseline.metrics.items()}
        values, interval, failed = dict[str, float](), (float("nan"), float("nan")), ""
        try:
            if can_read(network, task, length):
                meter = known if trained else evaluate(network, there.batches(split, 0), there.meter(split), device)
                values = {name: metric.value for name, metric in meter.compute().items()}
                interval = meter.interval(seed)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            failed = "out of memory"
        found.append(AtLength(length, values, interval, chance, failed))
    return tuple(found)
