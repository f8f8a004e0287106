"""Evaluation on sequences of other lengths than in training."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from seqlab.core.batch import BatchT
from seqlab.core.offers import require
from seqlab.core.task import Task


@runtime_checkable
class OtherLengths(Protocol[BatchT]):
    """A task whose networks can be evaluated on sequences of other lengths too."""

    def length(self) -> int:
        """The length of its sequences, in the unit of its setting."""

    def eval_lengths(self) -> tuple[int, ...]:
        """The other lengths for evaluation, as its settings list them."""

    def at_length(self, length: int) -> Task[BatchT]:
        """The same task and vocabulary with sequences of this length in every split, drawn from the same seeds. Raises
        ConfigError for a length that its other settings do not allow."""


def other_lengths(task: object) -> OtherLengths[Any]:
    """The task, if it has sequences of other lengths; else ConfigError."""
    remedy = "only tasks with the setting task.length have others, and your own by length, eval_lengths and at_length"
    return require(task, OtherLengths, "has sequences of its own lengths only", remedy)
