"""Logarithmic axes for values that may be zero, infinite or nan, with labels that do not overprint."""

from __future__ import annotations

import math
from collections.abc import Iterable
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
