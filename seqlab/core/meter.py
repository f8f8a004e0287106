"""What turns the batches of one evaluation into metrics."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic

from seqlab.core.batch import BatchT
from seqlab.core.items import ItemSums
from seqlab.core.metric import Metric
from seqlab.core.network import Network, StepOutput
from seqlab.core.results import Result


class Meter(ABC, Generic[BatchT]):
    """Gathers what the batches of one evaluation say and turns it into metrics."""

    primary: str
    """The name of the metric that its task is judged by."""

    @abstractmethod
    def update(self, batch: BatchT, output: StepOutput, network: Network[BatchT]) -> None:
        """Take in one batch's result."""

    @abstractmethod
    def compute(self) -> dict[str, Metric]:
        """Every metric of what was taken in, by name."""

    def criterion(self) -> tuple[str, ...]:
        """By which metrics two evaluations are told apart: the primary one, between equals the loss (where there is
        one). Of two that are equal in all of them the newer is kept. core/metric.py is the rule."""
        return (self.primary, "loss")

    def item_sums(self) -> ItemSums | None:
        """What each item of the split adds to the primary metric, in the split's own order, which depends neither on
        batches nor on the network: what models are compared by over items. None where it is no function of such sums.
        """
        return None

    def interval(self, seed: int) -> tuple[float, float]:
        """The primary metric's 95 % bootstrap interval over items; nan, nan where there is none."""
        sums = self.item_sums()
        return (math.nan, math.nan) if sums is None else sums.interval(seed)

    def details(self) -> dict[str, Any]:
        """What belongs to the result but is no single figure: confusion counts, a metric's signature."""
        return {}

    def results(self) -> Iterator[Result]:
        """The same for programs, typed: what views are drawn from. Each type at most once, but for Answered, which is
        one item; items come in the split's order."""
        return iter(())

    def items(self) -> Iterator[dict[str, Any]]:
        """What was found for each item (a text, a pair, a stretch of characters), in the split's order: plain values
        for tools."""
        return iter(())

    def tables(self) -> Iterator[Table]:
        """What a person wants to see beside the metrics."""
        return iter(())


@dataclass(frozen=True)
class Table:
    """A table for people. The first column is text, and so is any cell that is a str."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]

    def is_text(self, column: int) -> bool:
        """Whether a column is to be read as words rather than numbers."""
        return column == 0 or any(isinstance(row[column], str) for row in self.rows)
