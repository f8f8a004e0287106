"""Whether a claim holds here: each piece of evidence by its interval, and all of them together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seqlab.comparison.design import Design, Sample
from seqlab.comparison.intervals import Interval
from seqlab.comparison.statistics import Difference
from seqlab.drawing.numbers import number
from seqlab.lecture.claim import Evidence, Finding


@dataclass(frozen=True)
class Judged:
    """What a piece of evidence came to. of, than: mean figures, `than` before its factor. ahead: how far the figure
    lies on the expected side of what it is held against, with its 95 % interval; None where nothing could be measured.
    seeds: how many runs tell it. why: in words."""

    evidence: Evidence
    finding: Finding
    of: float | None
    than: float | None
    ahead: float | None
    interval: Interval | None
    seeds: int
    why: str


def judge(evidence: Evidence, of: Mapping[int, float], than: Mapping[int, float] | float, *, exact: bool) -> Judged:
    """From the figure of each run, of the same seeds. exact: the figure is counted and needs no second run.

    Where both are positive and no margin is given, the ratio is judged (its logarithm), since lags, times and losses
    differ by factors; else the difference. The interval is over seeds."""
    others = dict.fromkeys(of, than) if isinstance(than, float) else than
    seeds = sorted(set(of) & set(others))
    if not seeds:
        return unmeasured(evidence, "no seed has both figures")
    sign, factor = (1.0 if evidence.expect == "more" else -1.0), evidence.factor
    pairs = [(of[seed], factor * others[seed]) for seed in seeds]
    as_ratio = evidence.margin == 0 and all(a > 0 and b > 0 for a, b in pairs)
    ahead = [sign * _difference(a, b, as_ratio=as_ratio) + evidence.margin for a, b in pairs]
    mean, interval = _interval(ahead, exact=exact)
    means = (_mean(of[seed] for seed in seeds), _mean(others[seed] for seed in seeds))
    finding = _finding(interval)
    why = _in_words(evidence, means, mean, interval, len(seeds), as_ratio=as_ratio)
    return Judged(evidence, finding, *means, mean, interval, len(seeds), why)


def judge_pair(evidence: Evidence, pair: Difference, means: tuple[float, float], *, higher_is_better: bool) -> Judged:
    """From the comparison's own verdict on the metric by which it compares, over seeds and test items."""
    better = (evidence.expect == "more") == higher_is_better
    sign = 1.0 if (pair.first == evidence.of) == better else -1.0
    mean = sign * pair.mean + evidence.margin
    interval: Interval | None = None
    if pair.interval is not None:
        ends = sorted(sign * end for end in pair.interval)
        interval = (ends[0] + evidence.margin, ends[1] + evidence.margin)
    why = _in_words(evidence, means, mean, interval, min(pair.seeds), as_ratio=False)
    return Judged(evidence, _finding(interval), *means, mean, interval, min(pair.seeds), why)


def unmeasured(evidence: Evidence, why: str) -> Judged:
    """Of evidence for which there is no figure."""
    return Judged(evidence, "cannot be told", None, None, None, None, 0, why)


def together(judged: Sequence[Judged]) -> Finding:
    """A claim holds if all its evidence does, and does not hold as soon as one piece speaks against it."""
    findings = {one.finding for one in judged}
    if "does not hold" in findings:
        return "does not hold"
    return "holds" if findings == {"holds"} else "cannot be told"


def _difference(a: float, b: float, *, as_ratio: bool) -> float:
    if math.isinf(a) and math.isinf(b):
        return 0.0  # neither reached what was looked for
    return math.log(a / b) if as_ratio and not math.isinf(b) else a - b


def _interval(ahead: Sequence[float], *, exact: bool) -> tuple[float, Interval | None]:
    mean = _mean(ahead)
    if exact or (len(ahead) > 1 and len(set(ahead)) == 1):  # nothing varies: all runs agree
        return mean, (mean, mean)
    if len(ahead) < 2 or not math.isfinite(mean):
        agree = len(ahead) > 1 and (all(value > 0 for value in ahead) or all(value < 0 for value in ahead))
        return mean, (min(ahead), max(ahead)) if agree else None
    margin = Design([Sample(dict(enumerate(ahead)))], 20_000, 0).margin(0) or 0.0
    return mean, (mean - margin, mean + margin)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _finding(interval: Interval | None) -> Finding:
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "cannot be told"
    return "holds" if interval[0] > 0 else "does not hold"


def _in_words(
    evidence: Evidence,
    means: tuple[float, float],
    mean: float,
    interval: Interval | None,
    seeds: int,
    *,
    as_ratio: bool,
) -> str:
    """`rnn 9.0, lstm 24.0: 0.38 times as much (95 % 0.31 to 0.46, 3 seeds)`."""
    other = evidence.than if isinstance(evidence.than, str) else "the threshold"
    told = f"{evidence.of} {_plain(means[0])}, {other} {_plain(means[1])}"
    over = f"{seeds} seed" + ("" if seeds == 1 else "s")
    if interval is None:
        return f"{told}; {over}: no interval"
    if interval[0] == interval[1]:
        return f"{told} ({over}, which agree)" if seeds > 1 else f"{told} (counted)"
    sign = 1.0 if evidence.expect == "more" else -1.0
    ends = sorted(sign * (end - evidence.margin) for end in interval)
    if as_ratio and all(map(math.isfinite, (mean, *ends))):
        # back to the plain ratio, without the factor that was asked for
        ratio, low, high = (evidence.factor * math.exp(end) for end in (sign * mean, *ends))
        return f"{told}: {number(ratio)} times as much (95 % {number(low)} to {number(high)}, {over})"
    ahead = sign * (mean - evidence.margin)
    word = "more" if ahead >= 0 else "less"
    return (
        f"{told}: {number(abs(ahead))} {word} (95 % of the difference {number(ends[0])} to {number(ends[1])}, {over})"
    )


def _plain(value: float) -> str:
    """Counts without decimals."""
    if math.isinf(value):
        return "beyond what was measured"
    return f"{value:,.0f}" if abs(value) >= 1000 or value.is_integer() else number(value)
