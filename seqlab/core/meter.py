"""Meters, which compute metrics from the batches of one evaluation."""

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
    """Collects the results of one evaluation's batches and computes metrics from them."""

    primary: str
    """The name of the metric by which the task is judged."""

    @abstractmethod
    def update(self, batch: BatchT, output: StepOutput, network: Network[BatchT]) -> None:
        """Add one batch's result."""

    @abstractmethod
    def compute(self) -> dict[str, Metric]:
        """Every metric over the batches added so far, by name."""

    def criterion(self) -> tuple[str, ...]:
        """The names of the metrics that decide which evaluation is better: the primary one, then the loss (if there is
        one) to break ties. If all are equal, the newer evaluation is kept (core/metric.py)."""
        return (self.primary, "loss")

    def item_sums(self) -> ItemSums | None:
        """What each item of the split adds to the primary metric, for comparing models over items. Rows are in the
        split's own order, which depends neither on batches nor on the network. None if it is no function of such sums.
        """
        return None

    def interval(self, seed: int) -> tuple[float, float]:
        """The primary metric's 95 % bootstrap interval over items; nan, nan if there is none."""
        sums = self.item_sums()
        return (math.nan, math.nan) if sums is None else sums.interval(seed)

    def details(self) -> dict[str, Any]:
        """Parts of the stored result that are not a single figure: confusion counts, a metric's signature."""
        return {}

    def results(self) -> Iterator[Result]:
        """Typed results, from which views are drawn. Each type occurs at most once, except Answered: one for each item,
        in the split's order."""
        return iter(())

    def items(self) -> Iterator[dict[str, Any]]:
        """The results of each item (a text, a pair, a window of text), in the split's order, as plain values for
        tools."""
        return iter(())

    def tables(self) -> Iterator[Table]:
        """Tables that are printed below the metrics."""
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
