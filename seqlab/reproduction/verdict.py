"""Whether a published figure was reproduced, and why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seqlab.comparison.intervals import Interval
from seqlab.drawing.numbers import number
from seqlab.reproduction.published import Published, Rule

Finding = Literal["reproduced", "not reproduced", "not comparable"]

_WORDS: dict[Rule, str] = {"at_least": "at least", "at_most": "at most", "within": "within"}
_ROUNDING = 1e-9  # of a figure: 1.9 that was computed as 1.9000000000000001 is at most 1.9


@dataclass(frozen=True)
class Verdict:
    """finding: what is said of ours and a published figure, `why` in words. settled: whether every value of our
    interval would give the same finding, and no run is missing; None without an interval, where nothing is known of
    other seeds."""

    finding: Finding
    why: str
    settled: bool | None = None

    @property
    def text(self) -> str:
        """The whole sentence."""
        because = ", because " if self.finding == "not comparable" else ": "
        return f"{self.finding}{because}{self.why}"


def judge(figure: Published, mean: float, interval: Interval | None, *, higher_is_better: bool) -> Verdict:
    """Hold our mean over seeds, and its interval, against a published figure; all are in the figure's unit."""
    reproduced = _meets(figure, mean)
    settled = None if interval is None else _settled(figure, interval, reproduced)
    verb = "is" if reproduced else "is not"
    why = f"{number(mean)} {verb} {rule_text(figure)}; {_gap(figure, mean, higher_is_better)}"
    if settled is False and interval is not None:
        why += f"; the seeds do not settle it: 95 % {number(interval[0])} to {number(interval[1])}"
    return Verdict("reproduced" if reproduced else "not reproduced", why, settled)


def rule_text(figure: Published) -> str:
    """`at most 1.88 + 0.02`, `within 0.02 of 0.164`."""
    target = f"{_target(figure):g}"
    if figure.rule == "within":
        return f"within {figure.tolerance:g} of {target}"
    sign = "-" if figure.rule == "at_least" else "+"
    return f"{_WORDS[figure.rule]} {target}" + (f" {sign} {figure.tolerance:g}" if figure.tolerance else "")


def _target(figure: Published) -> float:
    return figure.value if figure.aim is None else figure.aim


def _bounds(figure: Published) -> tuple[float, float]:
    """The least and the greatest value that the rule allows."""
    target = _target(figure)
    slack = figure.tolerance + _ROUNDING * max(abs(target), figure.tolerance)
    low = float("-inf") if figure.rule == "at_most" else target - slack
    high = float("inf") if figure.rule == "at_least" else target + slack
    return low, high


def _meets(figure: Published, value: float) -> bool:
    low, high = _bounds(figure)
    return low <= value <= high


def _settled(figure: Published, interval: Interval, reproduced: bool) -> bool:
    """Whether the interval lies wholly inside what the rule allows, or wholly outside."""
    low, high = _bounds(figure)
    if reproduced:
        return low <= interval[0] and interval[1] <= high
    return interval[1] < low or high < interval[0]


def _gap(figure: Published, mean: float, higher_is_better: bool) -> str:
    """How far ours lies from the published value, and in which direction."""
    gain = mean - figure.value if higher_is_better else figure.value - mean
    if abs(gain) <= _ROUNDING * abs(figure.value):
        return "equal to the published value"
    return f"{'better' if gain > 0 else 'worse'} than published by {number(abs(gain))}"
