"""Time series as lines of text, for examples and predictions."""

from __future__ import annotations

import numpy as np

from seqlab.data.series import Series
from seqlab.data.times import Step, as_times, is_time
from seqlab.errors import DataError


def written(series: Series, start: int, count: int) -> str:
    """Some values of a series as a line of text: the time of the first, then the values; those of several series at
    one time are joined by a slash. `parsed` reads it."""
    time = [] if series.times_N is None else [str(series.times_N[start])]
    rows = series.value_NV[start : start + count].tolist()
    return " ".join([*time, *("/".join(f"{value:.6g}" for value in row) for row in rows)])


def parsed(text: str, names: tuple[str, ...], step: Step | None) -> Series:
    """The series in a line of text. Raises DataError for another form."""
    tokens = text.split()
    timed = bool(tokens) and is_time(tokens[0])
    try:
        rows = [[float(value) for value in token.split("/")] for token in tokens[timed:]]
    except ValueError:
        rows = []
    if not rows or any(len(row) != len(names) for row in rows):
        form = "/".join("3.5" for _ in names)
        raise DataError(
            f"{text[:60]!r} is neither a file nor a series of numbers",
            f"give the path of a CSV file, or values like: 2024-03-31T14:00 {form} {form}",
        )
    value_NV = np.array(rows)
    if not timed or step is None:
        return Series(names, value_NV, None, None)
    start = as_times(tokens[:1], [1], "the text")[0]
    return Series(names, value_NV, np.array([step.after(start, row) for row in range(len(rows))]), step)
