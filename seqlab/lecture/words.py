"""What a piece of evidence came to, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from seqlab.comparison.intervals import Interval
from seqlab.drawing.numbers import number
from seqlab.lecture.claim import Evidence

_SHOWN_SEEDS = 6  # more values than these are no longer read


def in_words(
    evidence: Evidence,
    means: tuple[float, float],
    ahead: float,
    interval: Interval | None,
    values: Sequence[float],
    *,
    as_ratio: bool,
) -> str:
    """`rnn: 9 · lstm: 24; asked for: less than lstm; 0.38 times as much (95 %: 0.31 to 0.46, 3 seeds: 8, 9, 10)`.

    means: of both sides. ahead, interval: how far it is on the expected side, as a logarithm of a ratio or as a
    difference, factor and margin included. values: of the runs of the first.
    """
    told = f"{evidence.of}: {_plain(means[0])}"
    if isinstance(evidence.than, str):
        told += f" · {evidence.than}: {_plain(means[1])}"
    return f"{told}; asked for: {_asked(evidence)}; {_found(evidence, ahead, interval, values, as_ratio=as_ratio)}"


def _asked(evidence: Evidence) -> str:
    than, expect = evidence.than, evidence.expect
    if not isinstance(than, str):
        margin = -evidence.margin if expect == "more" else evidence.margin
        return f"{expect} than {_plain(evidence.factor * than + margin)}"
    asked = than if evidence.factor == 1 else f"{evidence.factor:g} times as much as {than}"
    if evidence.margin:
        return f"at most {number(evidence.margin)} {'less' if expect == 'more' else 'more'} than {asked}"
    return f"{expect} than {asked}"


def _found(
    evidence: Evidence, ahead: float, interval: Interval | None, values: Sequence[float], *, as_ratio: bool
) -> str:
    over = f"{len(values)} seed" + ("" if len(values) == 1 else "s")
    if 1 < len(values) <= _SHOWN_SEEDS and len(set(values)) > 1:
        over += f": {', '.join(map(_plain, values))}"
    if interval is None:
        return f"no interval ({over})"
    if interval[0] == interval[1]:
        return f"all agree ({over})" if len(values) > 1 else "counted"
    sign = 1.0 if evidence.expect == "more" else -1.0
    ends = sorted(sign * (end - evidence.margin) for end in interval)
    middle = sign * (ahead - evidence.margin)
    if as_ratio and all(map(math.isfinite, (ahead, *ends))):
        # beside a model: the plain ratio, without the factor that was asked for
        beside = isinstance(evidence.than, str)
        ratio, least, most = (_plain((evidence.factor if beside else 1) * math.exp(end)) for end in (middle, *ends))
        return f"{ratio} times {'as much' if beside else 'that'} (95 %: {least} to {most}, {over})"
    low, high = ends
    if low * high > 0:
        nearest, furthest = sorted(map(abs, ends))
        shown = f"{number(nearest)} to {number(furthest)} {_word(low)}"
    else:
        shown = f"{number(-low)} less to {number(high)} more"
    return f"{number(abs(middle))} {_word(middle)} (95 %: {shown}, {over})"


def _word(difference: float) -> str:
    return "more" if difference >= 0 else "less"


def _plain(value: float) -> str:
    """Counts without decimals, and large figures without digits that say nothing."""
    if math.isinf(value):
        return "beyond what was measured"
    if abs(value) >= 1e6:
        return f"{value / 1e6:,.3g} million" if value < 1e9 else f"{value / 1e9:,.3g} billion"
    return f"{value:,.0f}" if abs(value) >= 1000 or round(value, 9).is_integer() else number(value)
