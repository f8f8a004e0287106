"""Is one model better than another? Estimates, intervals and tests for every pair, about other training seeds and other
test items at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seqlab.comparison.design import Design, Sample, balanced
from seqlab.comparison.intervals import LEVEL, Interval, within_range
from seqlab.comparison.multiple_testing import corrected, exceedance
from seqlab.core.metric import Metric

_DRAWS = 20_000


@dataclass(frozen=True)
class Difference:
    """How much better `first` is than `second` on average: positive is better, whatever the metric's direction.

    seeds: the number of runs of each. items: how many test items the verdict generalises over; None: over seeds alone.
    shared: seeds that both have; won, tied: how many of those. interval: 95 %, for this pair alone; None where nothing
    varies, so that the sign test decides. p: two-sided, for this pair alone. p_corrected: for all pairs together.
    """

    first: str
    second: str
    seeds: tuple[int, int]
    items: int | None
    shared: int
    won: int
    tied: int
    mean: float
    interval: Interval | None = None
    p: float | None = None
    p_corrected: float | None = None

    @property
    def significant(self) -> bool:
        """Whether the corrected p is below 0.05."""
        return self.p_corrected is not None and self.p_corrected < 1 - LEVEL


@dataclass(frozen=True)
class Analysis:
    """intervals: of each model's mean, by label; None where its runs cannot show one. pairs: every pair of models.
    items: how many test items all of it generalises over; None: over seeds alone."""

    intervals: Mapping[str, Interval | None]
    pairs: tuple[Difference, ...]
    items: int | None


def analyse(samples: Mapping[str, Sample], metric: Metric, *, draws: int = _DRAWS, seed: int = 0) -> Analysis:
    """Intervals of every model and tests of every pair, in the order given. metric: its direction and range. seed: of
    the draws.

    A difference divided by its standard error is compared with its values between equal models in `draws` draws, in
    each of which every estimate is made anew (`Design`); p is corrected for all pairs by Westfall and Young's step-down
    procedure (1993). Pairs rest on equally many seeds of each model: of models with more, first those that all have.
    With unequal numbers, a wrong variance of the model with few seeds would be hidden by the model with many.
    """
    labels = [label for label, sample in samples.items() if len(sample.values) > 1]
    intervals: dict[str, Interval | None] = dict.fromkeys(samples)
    even = {**samples, **balanced({label: samples[label] for label in labels})}
    pairs = [_estimate(first, second, even, metric) for first, second in itertools.combinations(even, 2)]
    if not labels:
        return Analysis(intervals, tuple(pairs), None)
    design = Design([even[label] for label in labels], draws, seed)
    whole = design if even == samples else Design([samples[label] for label in labels], draws, seed)
    for place, label in enumerate(labels):
        if (margin := whole.margin(place)) is not None:
            intervals[label] = within_range(float(whole.mean_M[place]), margin, metric)
    return Analysis(intervals, tuple(_tested(pairs, labels, design, metric)), design.items)


def _estimate(first: str, second: str, samples: Mapping[str, Sample], metric: Metric) -> Difference:
    """The difference between two models, the better one first, without a test."""
    mean = metric.gain(_mean(samples[first]), _mean(samples[second]))
    if mean < 0:
        first, second = second, first
    a, b = samples[first], samples[second]
    shared = sorted(a.values.keys() & b.values.keys())
    gains = [metric.gain(a.values[seed], b.values[seed]) for seed in shared]
    items = a.item_count if a.item_count == b.item_count else None
    won, tied = sum(gain > 0 for gain in gains), sum(gain == 0 for gain in gains)
    return Difference(first, second, (len(a.values), len(b.values)), items, len(shared), won, tied, abs(mean))


def _mean(sample: Sample) -> float:
    return float(np.mean(list(sample.values.values())))


def _tested(pairs: Sequence[Difference], labels: Sequence[str], design: Design, metric: Metric) -> list[Difference]:
    """The pairs, with interval and p if both models are in the design."""
    found = list(pairs)
    tests = [place for place, pair in enumerate(pairs) if pair.first in labels and pair.second in labels]
    models = [(labels.index(pairs[place].first), labels.index(pairs[place].second)) for place in tests]
    for place, (a, b) in zip(tests, models, strict=True):
        found[place] = _test(pairs[place], a, b, design, metric)
    varying = {test: ab for test, ab in enumerate(models) if design.varies(*ab)}
    p = corrected(
        [float(found[place].p or 0.0) for place in tests],
        {test: design.statistic(*ab) for test, ab in varying.items()},
        {test: design.drawn_statistic(*ab) for test, ab in varying.items()},
    )
    for place, each in zip(tests, p, strict=True):
        found[place] = replace(found[place], p_corrected=each)
    return found


def _test(pair: Difference, a: int, b: int, design: Design, metric: Metric) -> Difference:
    """The pair with its own interval and p."""
    pair = replace(pair, items=design.items)
    margin = design.margin(a, b)
    if margin is None:
        # no variance, as with a metric of few values that is nearly perfect: t would be infinite, the sign test decides
        nothing_won = pair.won == 0 or pair.shared < 2
        return replace(pair, p=1.0 if nothing_won else 2.0 ** (1 - pair.shared))
    p = exceedance(pair.mean / math.sqrt(design.variance(a, b)), design.drawn_statistic(a, b))
    # a difference between shares is at most 1: an interval ends there
    widest = math.inf
    if metric.lowest is not None and metric.highest is not None:
        widest = metric.highest - metric.lowest
    return replace(pair, interval=(max(pair.mean - margin, -widest), min(pair.mean + margin, widest)), p=p)


def tested(pairs: Sequence[Difference]) -> int:
    """How many pairs were tested, and corrected for: those of which both models have two seeds or more."""
    return sum(pair.p is not None for pair in pairs)
