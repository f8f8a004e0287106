"""What is reached without a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from seqlab.core.batch import Split
from seqlab.core.metric import Metric
from seqlab.core.offers import offers


@dataclass(frozen=True)
class Baseline:
    """What is reached on a split without a network. `about`: how, in one line. metrics: by the names of the meter's."""

    name: str
    about: str
    metrics: Mapping[str, Metric]


@runtime_checkable
class BaselineSource(Protocol):
    """A task that says what simple methods reach."""

    def baselines(self) -> Iterator[Baseline]:
        """What simple methods reach on the test split, knowing the training split."""


@runtime_checkable
class ChanceLevel(Protocol):
    """A task that says what is reached without learning anything."""

    def chance(self, split: Split) -> Baseline:
        """What is reached on a split without learning, as a classifier does that always gives the most frequent label,
        or a language model for which every token is as likely. A run that is no better is warned of."""


def baselines_of(task: object) -> Iterator[Baseline]:
    """What simple methods reach on the test split, or at least chance; nothing where the task offers neither."""
    if offers(task, BaselineSource):
        yield from task.baselines()
    elif offers(task, ChanceLevel):
        yield task.chance("test")
