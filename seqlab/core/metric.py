"""What is better: the one rule for the best checkpoint, patience, a search and lists of runs. It needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Metric:
    """One figure of an evaluation. lowest, highest: the ends of what it can be, where it has ends."""

    value: float
    unit: str
    higher_is_better: bool
    lowest: float | None = None
    highest: float | None = None

    @property
    def rank(self) -> float:
        """The lower the better; nan is worse than everything."""
        return math.inf if math.isnan(self.value) else -self.value if self.higher_is_better else self.value

    def better_than(self, other: Metric | None) -> bool:
        """Whether this is strictly better; anything is better than nothing, but never nan."""
        return not math.isnan(self.value) and (other is None or self.rank < other.rank)

    def gain(self, value: float, other: float) -> float:
        """How much better one value of this metric is than another, in its unit: positive is better."""
        return value - other if self.higher_is_better else other - value

    def best(self, values: Iterable[float]) -> float:
        """The best of several values of this metric."""
        return max(values) if self.higher_is_better else min(values)

    def worst(self, values: Iterable[float]) -> float:
        """The worst of several values of this metric."""
        return min(values) if self.higher_is_better else max(values)

    @property
    def worst_possible(self) -> float | None:
        """The end of its range that is worst; None where it has no such end."""
        return self.lowest if self.higher_is_better else self.highest


@dataclass(frozen=True)
class Criterion:
    """One evaluation as it is judged: the metric that decides, and those that decide between equals, in their order."""

    metrics: tuple[Metric, ...]

    @classmethod
    def of(cls, metrics: Mapping[str, Metric], names: Iterable[str]) -> Criterion:
        """Of an evaluation's metrics those that `names` lists (Meter.criterion), without any that it lacks."""
        return cls(tuple(metrics[name] for name in dict.fromkeys(names) if name in metrics))

    @property
    def known(self) -> bool:
        """Whether the metric that decides is a number at all; what is not is never chosen."""
        return bool(self.metrics) and not math.isnan(self.metrics[0].value)

    @property
    def rank(self) -> tuple[float, ...]:
        """For sorting: the lower the better."""
        return tuple(metric.rank for metric in self.metrics)

    def better_than(self, other: Criterion | None) -> bool:
        """Whether this is strictly better. What only one of them has counts for it: unknown is worst."""
        if not self.known or other is None or not other.known:
            return self.known
        mine, theirs = zip(*zip_longest(self.rank, other.rank, fillvalue=math.inf), strict=True)
        return mine < theirs

    def replaces(self, best: Criterion | None) -> bool:
        """Whether this, the newer of the two, is to be kept: it is better, or as good."""
        return self.known and (best is None or not best.better_than(self))


def validated(result: Mapping[str, Any]) -> Criterion:
    """What a run of this result.json reached on validation; the test split has no say in any choice."""
    values, kinds = result["validation"], result["metrics"]
    metrics = {
        name: Metric(math.nan if value is None else value, kinds[name]["unit"], kinds[name]["higher_is_better"])
        for name, value in values.items()
        if name in kinds
    }
    # runs of before do not say by what they were judged, and it was this
    return Criterion.of(metrics, result.get("criterion") or (result["primary"], "loss"))


def choose(candidates: Iterable[tuple[T, Criterion]]) -> T | None:
    """The best of the candidates, which come in the order in which they were made; None if none is a number."""
    chosen: T | None = None
    best: Criterion | None = None
    for candidate, criterion in candidates:
        if criterion.replaces(best):
            chosen, best = candidate, criterion
    return chosen
