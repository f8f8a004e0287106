"""Logarithmic axes with labels that do not overprint: y for values that may be zero, infinite or nan, x for sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LABELS = 7  # more do not fit beside an axis of some inches


def log_scale(axes: Axes, values: Iterable[float]) -> None:
    """Make the y axis logarithmic, with room around those values that are finite and above zero; if there are none, the
    axis gets no scale. Decades are labelled; if there are fewer than two, values between them too."""
    from matplotlib.ticker import FuncFormatter, LogFormatterMathtext, LogLocator, NullFormatter

    there = [value for value in values if math.isfinite(value) and value > 0]
    if not there:
        axes.set(ylim=(0, 1), yticks=[])
        return
    low, high = min(there), max(there)
    axes.set_yscale("log")
    axes.set_ylim(low / 1.6, high * 1.6)
    few = high / low < 100
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=_MOST_LABELS))
    # plain numbers from 0.001 to 1000, exponents beyond
    spoken = low > 1e-3 and high < 1e4
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}") if spoken else LogFormatterMathtext())
    axes.yaxis.set_minor_formatter(NullFormatter())


def powers_of_two(values: Collection[int]) -> list[int]:
    """Some of them, from below the least of the values to above the greatest; none for no values."""
    if not values:
        return []
    low, high = math.floor(math.log2(min(values))), math.ceil(math.log2(max(values)))
    step = max(1, (high - low) // 5)
    return [2**power for power in range(low, high + step, step)]


def binary_scale(axes: Axes, ticks: Sequence[int], text: Callable[[int], str]) -> None:
    """Make x logarithmic, with these ticks, of which those are labelled that have room. Without any, the axis is left
    without a scale."""
    if not ticks:
        axes.set(xlim=(0, 1), xticks=[])
        return
    axes.set_xscale("log", base=2)
    axes.set_xlim(ticks[0] / 1.25, ticks[-1] * 1.25)
    room = (ticks[-1] / ticks[0]) ** (1 / _MOST_LABELS)
    labels: list[str] = []
    last = 0.0
    for tick in ticks:
        labels.append(text(tick) if tick >= room * last else "")
        last = tick if labels[-1] else last
    axes.set_xticks(ticks, labels)
    axes.set_xticks([], minor=True)
