"""Whether a claim holds here: each piece of evidence by its interval, and all of them together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seqlab.comparison.design import Design, Sample
from seqlab.comparison.intervals import Interval
from seqlab.comparison.statistics import Difference
from seqlab.lecture.claim import Evidence, Finding
from seqlab.lecture.words import in_words


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
    differ by factors, and means are geometric; else the difference. The interval is over seeds."""
    others = dict.fromkeys(of, than) if isinstance(than, float) else than
    seeds = sorted(set(of) & set(others))
    if not seeds:
        return unmeasured(evidence, "no seed has both figures")
    sign, factor = (1.0 if evidence.expect == "more" else -1.0), evidence.factor
    pairs = [(of[seed], factor * others[seed]) for seed in seeds]
    as_ratio = evidence.margin == 0 and all(a > 0 and b > 0 for a, b in pairs)
    ahead = [sign * _difference(a, b, as_ratio=as_ratio) + evidence.margin for a, b in pairs]
    mean, interval = _interval(ahead, exact=exact)
    values = [of[seed] for seed in seeds]
    mean_of = _geometric if as_ratio else _mean
    means = (mean_of(values), mean_of([others[seed] for seed in seeds]))
    finding = _finding(interval)
    why = in_words(evidence, means, mean, interval, values, as_ratio=as_ratio)
    return Judged(evidence, finding, *means, mean, interval, len(seeds), why)


def judge_pair(
    evidence: Evidence,
    pair: Difference,
    of: Mapping[int, float],
    than: Mapping[int, float],
    *,
    higher_is_better: bool,
) -> Judged:
    """From the comparison's own verdict on the metric by which it compares, over seeds and test items."""
    better = (evidence.expect == "more") == higher_is_better
    sign = 1.0 if (pair.first == evidence.of) == better else -1.0
    mean = sign * pair.mean + evidence.margin
    interval: Interval | None = None
    if pair.interval is not None:
        ends = sorted(sign * end for end in pair.interval)
        interval = (ends[0] + evidence.margin, ends[1] + evidence.margin)
    means = (_mean(of.values()), _mean(than.values()))
    why = in_words(evidence, means, mean, interval, [*of.values()], as_ratio=False)
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


def _geometric(values: Sequence[float]) -> float:
    return math.exp(_mean(map(math.log, values)))


def _finding(interval: Interval | None) -> Finding:
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "cannot be told"
    return "holds" if interval[0] > 0 else "does not hold"
