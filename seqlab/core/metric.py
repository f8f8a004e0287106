"""Which evaluation is better: one rule for the best checkpoint, patience, searches and lists of runs. Needs no
torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Metric:
    """One figure of an evaluation. lowest, highest: the bounds of its range, if there are any."""

    value: float
    unit: str
    higher_is_better: bool
    lowest: float | None = None
    highest: float | None = None

    @property
    def rank(self) -> float:
        """For sorting: lower is better, and nan is worse than everything."""
        return math.inf if math.isnan(self.value) else -self.value if self.higher_is_better else self.value

    def better_than(self, other: Metric | None) -> bool:
        """Whether this is strictly better; every number is better than None, nan never."""
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
        """The worst end of its range; None if it is unbounded there."""
        return self.lowest if self.higher_is_better else self.highest


@dataclass(frozen=True)
class Criterion:
    """The metrics by which an evaluation is judged: the one that decides, then those that break ties, in order."""

    metrics: tuple[Metric, ...]

    @classmethod
    def of(cls, metrics: Mapping[str, Metric], names: Iterable[str]) -> Criterion:
        """The metrics of an evaluation that `names` lists (Meter.criterion); names that it lacks are left out."""
        return cls(tuple(metrics[name] for name in dict.fromkeys(names) if name in metrics))

    @property
    def known(self) -> bool:
        """Whether the metric that decides is a number; otherwise the evaluation is never chosen."""
        return bool(self.metrics) and not math.isnan(self.metrics[0].value)

    @property
    def rank(self) -> tuple[float, ...]:
        """For sorting: the lower the better."""
        return tuple(metric.rank for metric in self.metrics)

    def better_than(self, other: Criterion | None) -> bool:
        """Whether this is strictly better. A metric that one of them lacks counts as worst for it."""
        if not self.known or other is None or not other.known:
            return self.known
        mine, theirs = zip(*zip_longest(self.rank, other.rank, fillvalue=math.inf), strict=True)
        return mine < theirs

    def replaces(self, best: Criterion | None) -> bool:
        """Whether this, the newer of the two, is to be kept: it is better or equal."""
        return self.known and (best is None or not best.better_than(self))


def validated(result: Mapping[str, Any]) -> Criterion:
    """The validation metrics of a result.json, by which runs are chosen; the test split is never used for that."""
    values, kinds = result["validation"], result["metrics"]
    metrics = {
        name: Metric(math.nan if value is None else value, kinds[name]["unit"], kinds[name]["higher_is_better"])
        for name, value in values.items()
        if name in kinds
    }
    # older results do not store their criterion; it was always this one
    return Criterion.of(metrics, result.get("criterion") or (result["primary"], "loss"))


def choose(candidates: Iterable[tuple[T, Criterion]]) -> T | None:
    """The best candidate; they come oldest first, and the newest wins a tie. None if none is a number."""
    chosen: T | None = None
    best: Criterion | None = None
    for candidate, criterion in candidates:
        if criterion.replaces(best):
            chosen, best = candidate, criterion
    return chosen
