"""A user's own time series: the time and value columns of a table, with errors that name the line.

N rows, V value columns.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seqlab.data.tables import Row, Table, read_table
from seqlab.data.times import Step, as_times, is_time, on_grid, shown
from seqlab.errors import DataError, first_places, likely_name

Values = npt.NDArray[np.float64]
_MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "?", "."}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")


@dataclass(frozen=True)
class Series:
    """Values at equal steps in time. value_NV: nan where one is missing. times_N: None for a table without times; its
    rows are then a step apart. lines: where values are missing, for messages. guessed: what was found without being
    named, for people."""

    names: tuple[str, ...]
    value_NV: Values
    times_N: npt.NDArray[np.datetime64] | None
    step: Step | None
    missing: str = ""
    guessed: Mapping[str, str] = field(default_factory=dict)

    def labels(self, start: int, end: int, *, short: bool = False) -> list[str]:
        """The times of these values for people, or else their numbers. short: without what is clear from the others."""
        if self.times_N is None:
            return [str(place) for place in range(start, end)]
        daily = self.step is None or bool(self.step.months) or self.step.seconds >= 86_400
        return [shown(time, daily=daily, short=short) for time in self.times_N[start:end]]

    def later(self, steps: int) -> list[str]:
        """The next `steps` times after the last value for people, or else how many steps ahead they are."""
        if self.times_N is None or self.step is None:
            return [f"+{count}" for count in range(1, steps + 1)]
        times = np.array([self.step.after(self.times_N[-1], count) for count in range(1, steps + 1)])
        return Series(self.names, self.value_NV, times, self.step).labels(0, steps)


def read_series(
    path: Path,
    key: str,
    *,
    time_column: str | None,
    value_columns: Sequence[str],
    separator: str | None = None,
    decimal: str | None = None,
) -> Series:
    """The series in a table with a header.

    time_column: None finds the first column of times, if there is one; `rows`: rows are a step apart, whatever their
    times. value_columns: none finds the one column of numbers. decimal: the mark before decimals; None finds it.

    Raises DataError for columns that are not there or cannot be found, for a value that is no finite number, for times
    that are repeated, unordered or not at equal steps, and as read_table does.
    """
    wanted = (*(() if time_column is None else (time_column,)), *value_columns)
    table = read_table(path, key, separator=separator, header=True, wanted=wanted)
    _check_header(table)
    guessed: dict[str, str] = {}
    time = _time_place(table, time_column)
    if time is not None and time_column is None:
        guessed["column of times"] = _name(table, time)
    places = [_place(table, "task.value_columns", name) for name in value_columns]
    if not places:
        places = [_only_numbers(table, time)]
    if len(set(places)) < len(places) or time in places:
        raise DataError(f"{table.setting}: a column is named twice in task.value_columns or as task.time_column")
    value_NV = np.array([_numbers(table, place, decimal) for place in places]).T
    lines = [line for line, _ in table.rows]
    names = tuple(_name(table, place) for place in places)
    if time is None:
        return Series(names, value_NV, None, None, _missing(names, value_NV, lines), {"column of times": "none"})
    times_N = as_times([row[time].strip() for _, row in table.rows], lines, table.setting)
    if (np.diff(times_N).astype(np.int64) < 0).sum() > len(times_N) / 2:  # newest first, as many sites give it
        times_N, value_NV, lines = times_N[::-1], value_NV[::-1], lines[::-1]
    step, index_N = on_grid(times_N, lines, table.setting)
    whole_NV = np.full((int(index_N[-1]) + 1, len(places)), np.nan)
    whole_NV[index_N] = value_NV
    missing = [_missing(names, value_NV, lines)]
    if absent := len(whole_NV) - len(value_NV):
        before = [lines[place] for place in np.flatnonzero(np.diff(index_N) > 1).tolist()]
        are = "row is" if absent == 1 else "rows are"
        missing.append(f"{absent:,} {are} left out (after {first_places('line', before)})")
    every = np.array([step.after(times_N[0], count) for count in range(len(whole_NV))]) if absent else times_N
    return Series(names, whole_NV, every, step, "; ".join(filter(None, missing)), guessed)


def _name(table: Table, place: int) -> str:
    return (table.header or ())[place] or f"column {place + 1}"


def _check_header(table: Table) -> None:
    header = table.header or ()
    if any(_NUMBER.fullmatch(title) or is_time(title) for title in header):
        raise DataError(
            f"{table.setting} has no header: its first line holds values",
            "give it a first line that names the columns, such as: time,value",
            f"line 1: {','.join(header)[:100]}",
        )
    if not table.rows:
        raise DataError(f"{table.setting} has a header and no rows", "give a row for each point in time")


def _place(table: Table, key: str, name: str) -> int:
    """The index of a column, given by its name in the header or its number, from 1."""
    header = table.header or ()
    if header.count(name) == 1:
        return header.index(name)
    if name.isdecimal() and 1 <= int(name) <= table.width:
        return int(name) - 1
    near = likely_name(name, header)
    word = shlex.quote(f"{key}=[{near}]" if key.endswith("s") else f"{key}={near}")
    raise DataError(
        f"{table.setting} has {'no column' if name not in header else 'several columns'} {name!r}",
        f"did you mean {word}?" if near and near != name else "name one of its columns, or give its number",
        f"columns: {', '.join(header)[:200]}",
    )


def _time_place(table: Table, name: str | None) -> int | None:
    """The column of times; None for the name `rows`, or if none is named and none is found."""
    if name == "rows" and name not in (table.header or ()):
        return None
    if name is not None:
        return _place(table, "task.time_column", name)
    first = table.rows[0][1]
    return next((place for place in range(table.width) if is_time(first[place].strip())), None)


def _only_numbers(table: Table, time: int | None) -> int:
    """The one column of numbers beside the times, or else the one that mostly has numbers. Raises DataError if there is
    none, or several."""
    share = {place: _share_of_numbers(table.rows, place) for place in range(table.width) if place != time}
    whole = [place for place, part in share.items() if part == 1]
    most = [place for place, part in share.items() if part > 0.5]  # what is no number is reported with its line
    if len(found := whole or most) == 1:
        return found[0]
    names = [_name(table, place) for place in found]
    if not found:
        raise DataError(
            f"{table.setting} has no column of numbers",
            "give a table with a column of numbers, such as: time,value",
            f"columns: {', '.join(table.header or ())[:200]}",
        )
    raise DataError(
        f"{table.setting} has {len(found)} columns of numbers, and task.value_columns does not say which to forecast",
        f"try {shlex.quote(f'task.value_columns=[{names[-1]}]')}",
        f"columns: {', '.join(names)[:200]}",
    )


def _share_of_numbers(rows: Sequence[Row], place: int) -> float:
    known = [cell for _, row in rows if (cell := row[place].strip()).lower() not in _MISSING]
    plain = (cell.replace(",", "") for cell in known), (cell.replace(".", "").replace(",", ".") for cell in known)
    return max(sum(_NUMBER.fullmatch(cell) is not None for cell in cells) for cells in plain) / max(1, len(known))


def _numbers(table: Table, place: int, decimal: str | None) -> Values:
    """The values of a column, nan where one is missing."""
    cells = [row[place].strip() for _, row in table.rows]
    if decimal is None:
        decimal = _decimal_mark(table, place, [cell for cell in cells if "," in cell])
    other = "," if decimal == "." else "."
    found = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell.lower() in _MISSING:
            continue
        plain = cell.replace(other, "").replace(",", ".")
        value = float(plain) if _NUMBER.fullmatch(plain) else math.nan
        if not math.isfinite(value):
            line = table.rows[row][0]
            raise DataError(
                f"{table.setting}, line {line}: {cell[:40]!r} in column {_name(table, place)!r} is no finite number",
                "correct it, leave the cell empty if the value is missing, or name another column: task.value_columns",
            )
        found[row] = value
    if np.isnan(found).all():
        raise DataError(f"{table.setting}: column {_name(table, place)!r} is empty", "name another: task.value_columns")
    return found


def _decimal_mark(table: Table, place: int, with_comma: Sequence[str]) -> str:
    """`,` if a comma stands before decimals somewhere, else `.`. Raises DataError if it could be either."""
    if not with_comma or any("." in cell and cell.rfind(",") < cell.rfind(".") for cell in with_comma):
        return "."
    if all(_THOUSANDS.fullmatch(cell) for cell in with_comma):
        raise DataError(
            f"{table.setting}: {with_comma[0]!r} in column {_name(table, place)!r} can be read in two ways",
            "say which mark stands before decimals: task.decimal=. or task.decimal=,",
        )
    return ","


def _missing(names: Sequence[str], value_NV: Values, lines: Sequence[int]) -> str:
    """Which values of which column are missing, with their lines; "" if none are."""
    found = []
    for name, gone_N in zip(names, np.isnan(value_NV).T, strict=True):
        if gone_N.any():
            at = [lines[row] for row in np.flatnonzero(gone_N).tolist()]
            found.append(f"{len(at):,} of {len(lines):,} values of {name} are missing ({first_places('line', at)})")
    return "; ".join(found)
