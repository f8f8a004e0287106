"""Numbers as people read them, on a terminal and on a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch takes seconds, and the commands about runs need none
    from seqlab.core.metric import Metric


_BLOCKS = "▁▂▃▄▅▆▇█"


_UNREADABLE = 1e6  # from here on a figure is written with an exponent
_SMALL = 1e-3  # below this, four places would leave nothing of a figure

NOT_TRAINED = "–: not evaluated: the model could not have been trained on so many positions"
"""Of a length of sequence, where its figures would stand."""


def sparkline(values: Sequence[float], width: int) -> str:
    """The values as one line of bars, the last `width` of them, lowest to highest."""
    shown = [v for v in values[-width:] if math.isfinite(v)]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    return "".join(_BLOCKS[round((v - low) / (high - low) * 7) if high > low else 0] for v in shown)


def clock(seconds: float) -> str:
    """Seconds as 0:07, 12:34 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def compact(count: float) -> str:
    """A count with at most three figures and k, M, G, T or P; with an exponent where even that is not enough."""
    if abs(count) >= 1e18:
        return f"{count:.3g}"
    for unit in ("", "k", "M", "G", "T", "P"):
        if abs(count) < 999.5 or unit == "P":
            break
        count /= 1000
    return f"{count:.3g}{unit}"


def bytes_text(count: int) -> str:
    """A size in bytes: 768 B, 1.5 KiB."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} B"


def figure(metric: Metric) -> str:
    """A metric's value for people, with its unit."""
    return f"{number(metric.value)} {metric.unit}".rstrip()


def described(description: Mapping[str, int | str]) -> dict[str, str]:
    """Task.describe for people."""
    return {key: f"{value:,}" if isinstance(value, int) else value for key, value in description.items()}


def number(value: float | None) -> str:
    """A metric's value for people."""
    if value is None:
        return "–"
    if abs(value) >= _UNREADABLE or 0 < abs(value) < _SMALL:
        return f"{value:.3g}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def measured(value: float | None) -> str:
    """What was measured, for a cell of a table: a number, a dash if it was not, or that it is not finite."""
    return number(value) if value is None or math.isfinite(value) else "not finite"
