"""Baselines: what simple methods reach without a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from seqlab.core.batch import Split
from seqlab.core.metric import Metric
from seqlab.core.offers import offers


@dataclass(frozen=True)
class Baseline:
    """What a simple method reaches on a split. about: the method, in one line. metrics: named as the meter's are.
    items: the primary metric item by item (ItemSums.item_values), so that models are compared with it on the same
    items; empty: not known."""

    name: str
    about: str
    metrics: Mapping[str, Metric]
    items: Sequence[float] = ()


@runtime_checkable
class BaselineSource(Protocol):
    """A task with baselines."""

    def baselines(self) -> Iterator[Baseline]:
        """What simple methods, fitted on the training split, reach on the test split."""


@runtime_checkable
class ChanceLevel(Protocol):
    """A task that knows its chance level."""

    def chance(self, split: Split) -> Baseline:
        """What is reached on a split without learning: by always predicting the most frequent label, say, or by giving
        every token the same probability. A run that is no better gets a warning."""


def chance_of(task: object, split: Split) -> Baseline | None:
    """The task's chance level on a split; None if it does not know one."""
    return task.chance(split) if offers(task, ChanceLevel) else None


def baselines_of(task: object) -> Iterator[Baseline]:
    """The task's baselines on the test split, else its chance level; nothing if it offers neither."""
    if offers(task, BaselineSource):
        yield from task.baselines()
    elif (chance := chance_of(task, "test")) is not None:
        yield chance
