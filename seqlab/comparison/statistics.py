"""What a few runs on some items can show: intervals, differences, and the correction for many pairs.

A verdict is about other training seeds and other test items at once. Letters: M models, S seeds of one model, N items
of the test split, D draws.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from seqlab.core.metric import Metric

LEVEL = 0.95
Interval = tuple[float, float]
Floats = npt.NDArray[np.float64]
_DRAWS = 20_000
_ROUNDING = 1e-12  # of the values: below it "spread" is rounding


@dataclass(frozen=True)
class Sample:
    """One model's figures on test. values: by seed. items: by seed, the metric item by item in the split's order."""

    values: Mapping[int, float]
    items: Mapping[int, Sequence[float]] = field(default_factory=dict)

    @property
    def item_count(self) -> int | None:
        """N; None where not every run knows its items, or two know another number of them."""
        counts = {len(self.items.get(seed, ())) for seed in self.values}
        return counts.pop() if len(counts) == 1 and min(counts) > 1 else None


@dataclass(frozen=True)
class Difference:
    """How much better `first` is than `second` on average: positive is better, whatever the metric's direction.

    seeds: runs of each that it rests on. items: how many the verdict generalises over; None: it is about seeds alone.
    won, tied: of the seeds that both have. interval: 95 %, for this pair alone. p: two-sided, for this pair alone.
    p_corrected: for all pairs together.
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
    """Every model and every pair of them, in the order given. metric: its direction and range. seed: of the draws.

    The variance of a mean difference has two parts, from models drawn again and from items drawn again:
    (s_a^2 / S_a + s_b^2 / S_b) + var(item differences) / N. The first is moderated: see `moderated`. What a difference
    divided by the root of it comes to between equal models is drawn, with every estimate made anew in each draw. The
    largest of several such differences gives the corrected p, step by step as Holm (1979) has it, but with their joint
    distribution in place of Bonferroni's bound (Westfall and Young 1993).

    Pairs rest on as many seeds of each model: of models with more, those that all have come first. With unequal numbers
    the wrong variance for the model with few would hide behind the one with many.
    """
    labels = [label for label, sample in samples.items() if len(sample.values) > 1]
    intervals: dict[str, Interval | None] = dict.fromkeys(samples)
    even = {**samples, **_as_many({label: samples[label] for label in labels})}
    world = _World([even[label] for label in labels], draws, seed) if labels else None
    if world is not None:
        whole = world if even == samples else _World([samples[label] for label in labels], draws, seed)
        intervals |= {label: whole.interval(place, metric) for place, label in enumerate(labels)}
    pairs = []
    for first, second in itertools.combinations(even, 2):
        pair, swapped = _described(first, second, even, metric)
        if world is not None and first in labels and second in labels:
            pair = world.judged(pair, labels.index(first), labels.index(second), metric, swapped=swapped)
        pairs.append(pair)
    if world is not None:
        tested = [place for place, pair in enumerate(pairs) if pair.p is not None]
        by_name = [(labels.index(pairs[place].first), labels.index(pairs[place].second)) for place in tested]
        corrected = world.corrected(by_name, [float(pairs[place].p or 0.0) for place in tested])
        for place, p in zip(tested, corrected, strict=True):
            pairs[place] = replace(pairs[place], p_corrected=p)
    return Analysis(intervals, tuple(pairs), None if world is None else world.items)


def _as_many(samples: Mapping[str, Sample]) -> dict[str, Sample]:
    """Each with as many seeds as the one that has fewest: those that all have first, then the smallest."""
    seeds = [set(sample.values) for sample in samples.values()]
    found = {}
    for label, sample in samples.items():
        in_all_first = sorted(sample.values, key=lambda seed: (not all(seed in other for other in seeds), seed))
        kept = in_all_first[: min(map(len, seeds))]
        items = {seed: sample.items[seed] for seed in kept if seed in sample.items}
        found[label] = Sample({seed: sample.values[seed] for seed in kept}, items)
    return found


def _described(first: str, second: str, samples: Mapping[str, Sample], metric: Metric) -> tuple[Difference, bool]:
    """(what two models came to, the better first, whether that is the second): nothing yet about how sure it is."""
    a, b = samples[first], samples[second]
    sign = 1 if metric.higher_is_better else -1
    mean = sign * (float(np.mean(list(a.values.values()))) - float(np.mean(list(b.values.values()))))
    swapped = mean < 0
    if swapped:
        first, second, a, b, sign = second, first, b, a, sign
    shared = sorted(a.values.keys() & b.values.keys())
    gains = [sign * (a.values[seed] - b.values[seed]) for seed in shared]
    items = a.item_count if a.item_count == b.item_count else None
    won, tied = sum(gain > 0 for gain in gains), sum(gain == 0 for gain in gains)
    seeds = (len(a.values), len(b.values))
    return Difference(first, second, seeds, items, len(shared), won, tied, abs(mean)), swapped


def moderated(variance_M: Floats, seeds_M: npt.NDArray[np.int64]) -> Floats:
    """Each model's variance over seeds, drawn towards the mean variance of all (Smyth 2004, with a fixed prior: four
    models cannot tell how much their variances differ). The mean counts 3 / (2 S - 1): all with two seeds, whose own
    variance is a single square, six tenths with three, a third with five. Of unequal numbers of seeds the many would
    speak for the few, so that each is left as it is. variance_M: (..., M)."""
    if len(set(seeds_M.tolist())) > 1:
        return variance_M
    weight_M = 3.0 / (2 * seeds_M - 1)
    free_M = seeds_M - 1
    pooled = (variance_M * free_M).sum(-1, keepdims=True) / free_M.sum()
    return np.asarray(weight_M * pooled + (1 - weight_M) * variance_M, dtype=np.float64)


class _World:
    """Models with two seeds or more, and what their figures would do if all were equally good."""

    def __init__(self, samples: Sequence[Sample], draws: int, seed: int) -> None:
        values = [np.array(list(sample.values.values())) for sample in samples]
        self.seeds_M = np.array([len(v) for v in values])
        self.mean_M = np.array([v.mean() for v in values])
        self.smallest = (_ROUNDING * max(float(np.abs(v).max()) for v in values)) ** 2
        variance_M = np.array([v.var(ddof=1) for v in values])
        variance_M = np.where(variance_M <= self.smallest, 0.0, variance_M)
        counts = {sample.item_count for sample in samples}
        self.items = counts.pop() if len(counts) == 1 else None
        self.cover_MM = np.zeros((len(samples), len(samples)))
        if self.items is not None:
            self.cover_MM, noise_M = _over_items(samples)
            # two runs that disagree on items differ in their means by that much at least, whatever two means did
            variance_M = np.maximum(variance_M, noise_M)
        self.variance_M = moderated(variance_M, self.seeds_M)
        self._draws, self._rng = draws, np.random.default_rng(seed)
        self._sizes: dict[tuple[int, int | None], Floats] = {}

    def variance(self, a: int, b: int | None = None) -> float:
        """Of model a's mean, or of the difference between the means of a and b."""
        return float(self._variance(self.variance_M, np.eye(len(self.seeds_M)), self._item_root, a, b))

    def _variance(self, seeds_M: Floats, factor: Floats, half: Floats, a: int, b: int | None) -> Any:
        """From the seeds' variances (..., M) and a root of the items' covariance, half (M, L) @ factor (..., L, L)."""
        variance = seeds_M[..., a] / self.seeds_M[a]
        if b is not None:
            variance = variance + seeds_M[..., b] / self.seeds_M[b]
        if self.items is None:
            return variance
        row = half[a] if b is None else half[a] - half[b]
        return variance + ((row @ factor) ** 2).sum(-1)

    @cached_property
    def _item_root(self) -> Floats:
        """H with H H^T the covariance of the models' means over items."""
        values_L, vectors_ML = np.linalg.eigh(self.cover_MM)
        return np.asarray(vectors_ML * np.sqrt(values_L.clip(min=0.0)), dtype=np.float64)

    @cached_property
    def _drawn(self) -> tuple[Floats, Floats, Floats]:
        """(mean_DM, variance_DM, factor_DLL): means of equal models, and the variances that would be seen with them:
        chi-squared over seeds, Wishart over items (its Bartlett factor)."""
        rng, shape = self._rng, (self._draws, len(self.seeds_M))
        over_seeds_DM = rng.normal(size=shape) * np.sqrt(self.variance_M / self.seeds_M)
        mean_DM = over_seeds_DM + rng.normal(size=shape) @ self._item_root.T
        free_M = self.seeds_M - 1
        seen_DM = self.variance_M * rng.chisquare(np.broadcast_to(free_M, shape)) / free_M
        models, free = shape[1], max(1, (self.items or 2) - 1)
        factor_DLL = np.tril(rng.normal(size=(*shape, models)), -1)
        for place in range(models):
            factor_DLL[:, place, place] = np.sqrt(rng.chisquare(max(1, free - place), size=self._draws))
        return mean_DM, moderated(seen_DM, self.seeds_M), factor_DLL / math.sqrt(free)

    def _drawn_sizes(self, a: int, b: int | None = None) -> Floats:
        """|mean difference| / standard error in each draw."""
        key = (min(a, b), max(a, b)) if b is not None else (a, None)
        if key not in self._sizes:
            self._sizes[key] = self._new_sizes(a, b)
        return self._sizes[key]

    def _new_sizes(self, a: int, b: int | None) -> Floats:
        mean_DM, variance_DM, factor_DLL = self._drawn
        difference_D = mean_DM[:, a] if b is None else mean_DM[:, a] - mean_DM[:, b]
        error_D = np.sqrt(self._variance(variance_DM, factor_DLL, self._item_root, a, b))
        return np.asarray(np.abs(difference_D) / error_D, dtype=np.float64)

    def _margin(self, a: int, b: int | None = None) -> float | None:
        """Half the 95 % interval; None without any spread."""
        variance = self.variance(a, b)
        if variance <= self.smallest:
            return None
        return float(np.quantile(self._drawn_sizes(a, b), LEVEL)) * math.sqrt(variance)

    def interval(self, place: int, metric: Metric) -> Interval | None:
        """Of one model's mean, inside the metric's range."""
        margin = self._margin(place)
        return None if margin is None else within_range(float(self.mean_M[place]), margin, metric)

    def judged(self, pair: Difference, a: int, b: int, metric: Metric, *, swapped: bool) -> Difference:
        """The pair with its own interval and p."""
        pair = replace(pair, items=self.items)
        margin = self._margin(a, b)
        if margin is None:
            # nothing differs between seeds, as with a metric of few steps that is nearly perfect: the sign test decides
            alike = pair.won == 0 or pair.shared < 2
            return replace(pair, p=1.0 if alike else 2.0 ** (1 - pair.shared))
        size = pair.mean / math.sqrt(self.variance(a, b))
        p = (1 + int((self._drawn_sizes(a, b) >= size).sum())) / (1 + self._draws)
        # a difference of shares is at most 1: what lies beyond cannot be
        widest = math.inf
        if metric.lowest is not None and metric.highest is not None:
            widest = metric.highest - metric.lowest
        return replace(pair, interval=(max(pair.mean - margin, -widest), min(pair.mean + margin, widest)), p=p)

    def corrected(self, pairs: Sequence[tuple[int, int]], alone: Sequence[float]) -> list[float]:
        """p of each pair corrected for all: the largest size is held against the largest of all, the next against the
        largest of those that are left, and so on; no p is below that of a larger size."""
        drawn = [place for place, (a, b) in enumerate(pairs) if self.variance(a, b) > self.smallest]
        plain = [place for place in range(len(pairs)) if place not in drawn]
        corrected = [min(1.0, p * len(pairs)) for p in alone]  # of the sign test, which has no distribution in common
        size = {p: abs(self.mean_M[pairs[p][0]] - self.mean_M[pairs[p][1]]) for p in drawn}
        size = {p: value / math.sqrt(self.variance(*pairs[p])) for p, value in size.items()}
        largest_D, found = np.zeros(self._draws), dict[int, float]()
        for place in sorted(drawn, key=lambda p: size[p]):
            largest_D = np.maximum(largest_D, self._drawn_sizes(*pairs[place]))
            found[place] = (1 + int((largest_D >= size[place]).sum())) / (1 + self._draws)
        highest = 0.0
        for place in sorted(drawn, key=lambda p: -size[p]):
            # where a sign test stands beside them, Bonferroni shares the 5 % between the two kinds
            share = len(pairs) / len(drawn) if plain else 1.0
            highest = max(highest, min(1.0, found[place] * share))
            corrected[place] = highest
        return corrected


def _over_items(samples: Sequence[Sample]) -> tuple[Floats, Floats]:
    """(covariance_MM of the models' means when items are drawn again, noise_M: the variance of one run's mean that its
    model's runs disagreeing on items makes by itself).

    The second is part of the variance over seeds already, so that the first goes without it.
    """
    run_MSN = [np.array([sample.items[seed] for seed in sample.values], dtype=np.float64) for sample in samples]
    items = run_MSN[0].shape[1]
    means_MN = np.stack([runs.mean(0) for runs in run_MSN])
    noise = []
    for runs_SN in run_MSN:
        left_SN = runs_SN - runs_SN.mean(0) - runs_SN.mean(1, keepdims=True) + runs_SN.mean()
        noise.append(float((left_SN**2).sum()) / ((len(runs_SN) - 1) * (items - 1)) / items)
    noise_M = np.array(noise)
    cover_MM = np.atleast_2d(np.cov(means_MN)) / items
    seeds_M = np.array([len(runs) for runs in run_MSN])
    return cover_MM - np.diag(noise_M / seeds_M), noise_M


def within_range(mean: float, margin: float, metric: Metric) -> Interval:
    """mean +- margin, laid on the logit scale between two ends of the metric's range and on the log scale above one, so
    that it ends inside (by the delta method the margin is divided by the scale's slope at the mean, which holds for
    small steps only: neither end is further away than the margin)."""
    ends, plain = _scaled(mean, margin, metric), (mean - margin, mean + margin)
    return max(ends[0], plain[0]), min(ends[1], plain[1])


def _scaled(mean: float, margin: float, metric: Metric) -> Interval:
    low, high = metric.lowest, metric.highest
    if low is not None and high is not None and low < mean < high:
        whole = high - low
        share = (mean - low) / whole
        logit, step = math.log(share / (1 - share)), margin / whole / (share * (1 - share))
        ends = [low + whole / (1 + math.exp(-max(-700.0, min(700.0, x)))) for x in (logit - step, logit + step)]
        return ends[0], ends[1]
    if low is not None and high is None and mean > low:
        step = min(700.0, margin / (mean - low))
        return low + (mean - low) * math.exp(-step), low + (mean - low) * math.exp(step)
    ends = [mean - margin, mean + margin]
    return max(ends[0], -math.inf if low is None else low), min(ends[1], math.inf if high is None else high)


def tested(pairs: Sequence[Difference]) -> int:
    """How many pairs were corrected together: those of which both models have two seeds or more."""
    return sum(pair.p is not None for pair in pairs)
