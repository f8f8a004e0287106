"""What a few seeds can show: intervals, paired differences, correction for many pairs, and the verdict in words.

Student's t throughout: with five seeds a bootstrap over seeds declares differences that are not there far too often.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

LEVEL = 0.95
Interval = tuple[float, float]


def mean_interval(values: Sequence[float]) -> Interval | None:
    """The 95 % interval of the mean over seeds (Student's t); None for fewer than two values."""
    if len(values) < 2:
        return None
    half = _critical(len(values)) * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def _critical(count: int) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, count - 1))


@dataclass(frozen=True)
class Difference:
    """How much better `first` is than `second` over the seeds that both have: positive is better, whatever the
    metric's direction. p: two-sided, for this pair alone; p_corrected: Holm (1979) over all pairs. interval:
    95 %, for this pair alone."""

    first: str
    second: str
    seeds: int
    won: int
    tied: int
    mean: float
    interval: Interval | None
    p: float | None
    p_corrected: float | None = None

    @property
    def significant(self) -> bool:
        """Whether the corrected p is below 0.05."""
        return self.p_corrected is not None and self.p_corrected < 1 - LEVEL


def compare_pair(
    first: str, second: str, a: Mapping[int, float], b: Mapping[int, float], *, higher_is_better: bool
) -> Difference:
    """The paired t test over seeds (Student 1908). a, b: a value by seed.

    Where all differences are the same there is no spread to judge by, as with a metric of few steps that is
    nearly perfect: then the sign test has the word, which three equal seeds do not satisfy.
    """
    sign = 1 if higher_is_better else -1
    gains = [sign * (a[seed] - b[seed]) for seed in sorted(a.keys() & b.keys())]
    won, tied = sum(gain > 0 for gain in gains), sum(gain == 0 for gain in gains)
    mean = fmean(gains) if gains else math.nan
    if mean < 0:
        return compare_pair(second, first, b, a, higher_is_better=higher_is_better)
    shared = Difference(first, second, len(gains), won, tied, mean, None, None)
    if len(gains) < 2:
        return shared
    spread = stdev(gains)
    # below a few units in the last place of the values, "spread" is rounding
    if spread <= 1e-12 * max(map(abs, (*a.values(), *b.values()))):
        return replace(shared, p=1.0 if won == 0 else 2.0 ** (1 - len(gains)))
    from scipy.stats import ttest_1samp

    found = ttest_1samp(gains, 0.0)
    low, high = found.confidence_interval(LEVEL)
    return replace(shared, interval=(float(low), float(high)), p=float(found.pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down correction: each p so that rejecting those below 0.05 errs anywhere in at most 5 %
    of experiments without a true difference."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = highest
    return corrected


def compare_all(values: Mapping[str, Mapping[int, float]], *, higher_is_better: bool) -> list[Difference]:
    """Every pair, corrected together, in the order of the models given. values: by model, then by seed."""
    pairs = [
        compare_pair(first, second, values[first], values[second], higher_is_better=higher_is_better)
        for first, second in itertools.combinations(values, 2)
    ]
    tested = [index for index, pair in enumerate(pairs) if pair.p is not None]
    corrected = holm([p for pair in pairs if (p := pair.p) is not None])
    for index, value in zip(tested, corrected, strict=True):
        pairs[index] = replace(pairs[index], p_corrected=value)
    return pairs


def tested(pairs: Sequence[Difference]) -> int:
    """How many pairs were corrected together: those with two seeds or more in common."""
    return sum(pair.p is not None for pair in pairs)


def verdict(pair: Difference, unit: str, pairs: int) -> str:
    """The finding in words. `pairs`: how many were tested together."""
    names = f"{pair.first} and {pair.second}"
    if pair.seeds == 0:
        return f"{names}: no seed in common, nothing can be paired"
    gap = f"{_figures(pair.mean)} {unit}".rstrip()
    if pair.seeds == 1:
        better = f"{pair.first} was better than {pair.second} by {gap}" if pair.mean else f"{names} were equal"
        return f"{better} with the one seed that both have, which shows nothing about others"
    if pair.tied == pair.seeds:
        return f"{names}: the same in all {pair.seeds} seeds"
    won = f"{pair.won} of {pair.seeds} seeds"
    evidence = f"{won}, each by as much" if pair.interval is None else f"{_range(pair.interval)}, {won}"
    if pair.significant:
        return f"{pair.first} is better than {pair.second} by {gap} ({evidence})"
    alone = pair.p is not None and pair.p < 1 - LEVEL
    why = f"; by itself the pair would pass, among {pairs} pairs it does not" if alone else ""
    return f"{names}: no difference that {pair.seeds} seeds can show ({gap} for {pair.first}, {evidence}{why})"


def _range(interval: Interval) -> str:
    low, high = (_figures(value) for value in interval)
    return f"95 % {low} to {high}"


def _figures(value: float) -> str:
    """Three decimals, or as many as the first two figures need."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(3, 1 - math.floor(math.log10(abs(value)))) if abs(value) < 10 else 1
    return f"{value:.{min(places, 6)}f}"
