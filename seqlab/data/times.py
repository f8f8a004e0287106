"""Times as people write them, and the equal steps between them. N rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from seqlab.errors import DataError

Times = npt.NDArray[np.datetime64]
_UNITS = ((604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_MOST_ABSENT = 0.2  # of all steps: with more rows left out, the steps are not equal
_OFFSET = re.compile(r":\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)$", re.IGNORECASE)
_LOOKS_LIKE_A_TIME = re.compile(r"\d{4}[-/]\d{1,2}\b|\d{1,2}[./]\d{1,2}[./]\d{4}\b|\d{4}-?W\d|\d{8}T")


def _iso(cell: str) -> datetime:
    cell = cell.replace("/", "-")
    if re.fullmatch(r"\d{4}(-\d{1,2})?", cell):
        return datetime.strptime(cell, "%Y-%m" if "-" in cell else "%Y")
    if re.fullmatch(r"\d{9,10}", cell):  # seconds since 1970
        return datetime.fromtimestamp(int(cell), UTC).replace(tzinfo=None)
    found = datetime.fromisoformat(re.sub(r"(?<=-)(\d)(?=-|\s|T|$)", r"0\1", cell))
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo is not None else found


def _written(form: str) -> Callable[[str], datetime]:
    """Reads dates of this form, with or without a time of day."""

    def read(cell: str) -> datetime:
        date, _, clock = cell.partition(" ")
        return datetime.strptime(
            f"{date} {clock or '00:00'}", f"{form} {'%H:%M:%S' if clock.count(':') > 1 else '%H:%M'}"
        )

    return read


_FORMS: tuple[Callable[[str], datetime], ...] = (
    _iso, _written("%d.%m.%Y"), _written("%d/%m/%Y"), _written("%m/%d/%Y"),
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """The time from one row to the next: `seconds`, or whole calendar months. from_end: on the last day of each."""

    seconds: int = 0
    months: int = 0
    from_end: bool = field(default=False, compare=False)

    def after(self, time: np.datetime64, count: int) -> np.datetime64:
        """The time this many steps later."""
        month = time.astype("datetime64[M]") + np.timedelta64(int(self.from_end), "M")
        whole = (month + np.timedelta64(count * self.months, "M")).astype("datetime64[s]")
        return np.datetime64(whole + (time - month) + np.timedelta64(count * self.seconds, "s"))

    def seasons(self) -> tuple[int, ...]:
        """How many steps a day and a week have, or a year of months: the usual seasons."""
        if self.months:
            return (12 // self.months,) if 12 % self.months == 0 and self.months < 12 else ()
        return tuple(
            whole // self.seconds for whole in (86_400, 604_800) if whole % self.seconds == 0 and whole > self.seconds
        )

    def __str__(self) -> str:
        if self.months:
            size, unit = (12, "year") if self.months % 12 == 0 else (1, "month")
        else:
            size, unit = next((size, unit) for size, unit in _UNITS if self.seconds % size == 0)
        count = (self.months or self.seconds) // size
        return f"{count} {unit}{'s' * (count > 1)}"


def calendar(times_N: Times, cycles: Sequence[str]) -> npt.NDArray[np.float64]:
    """The places of these times in recurring cycles, (N, 2 x cycles): sine and cosine of each."""
    day_N = times_N.astype("datetime64[D]")
    turns = {
        "hour": (times_N - day_N) / np.timedelta64(1, "D"),
        "weekday": day_N.astype(np.int64) % 7 / 7,
        "yearday": (day_N - times_N.astype("datetime64[Y]")) / np.timedelta64(1, "D") / 365.25,
    }
    angles = [2 * np.pi * turns[name] for name in cycles]
    return np.stack([wave(angle_N) for angle_N in angles for wave in (np.sin, np.cos)], 1)


def is_time(cell: str) -> bool:
    """Whether a cell holds a date, perhaps with a time of day. A plain number is none."""
    return _LOOKS_LIKE_A_TIME.match(cell) is not None and any(_reads(form, cell) for form in _FORMS)


def _reads(form: Callable[[str], datetime], cell: str) -> datetime | None:
    try:
        return form(cell)
    except (ValueError, OverflowError):  # an offset may lead out of the calendar
        return None


def as_times(cells: Sequence[str], lines: Sequence[int], setting: str) -> Times:
    """The times in these cells; those with an offset from UTC, in UTC. Of several ways to read them, as day and month
    may be either, the one with the most equal steps. Raises DataError for a cell that cannot be read as the others."""
    read = [[_reads(form, cell) for cell in cells] for form in _FORMS]
    best = max(read, key=lambda times: (sum(time is not None for time in times), _evenness(times)))
    wrong = [row for row, time in enumerate(best) if time is None]
    if wrong:
        cell = cells[wrong[0]]
        raise DataError(
            f"{setting}, line {lines[wrong[0]]}: {cell[:40]!r} is no time",
            "write times like 2024-03-31 14:30, all in one form, or name another column: task.time_column",
        )
    offset = [bool(_OFFSET.search(cell)) for cell in cells]
    if any(offset) and not all(offset):
        row = offset.index(not offset[0])
        raise DataError(
            f"{setting}, line {lines[row]}: {cells[row][:40]!r} and {cells[0][:40]!r}: one has an offset from UTC",
            "give all times with their offset, or none",
        )
    return np.array(best, dtype="datetime64[s]")


def _evenness(times: Sequence[datetime | None]) -> int:
    known = np.array([time for time in times if time is not None], dtype="datetime64[s]")
    return max(Counter(np.diff(known).tolist()).values(), default=0)


def on_grid(times_N: Times, lines: Sequence[int], setting: str) -> tuple[Step, npt.NDArray[np.int64]]:
    """(the step, index_N of each row): rows that are left out leave gaps in the index. Raises DataError for times that
    are repeated, unordered, or not a whole number of steps apart, and where too many rows are left out."""
    if len(times_N) < 2:
        raise DataError(f"{setting} has one row, and a step in time takes two", "give more rows")
    step, index_N = _months(times_N)
    gap_M = np.diff(times_N).astype(np.int64)
    if (backwards := gap_M <= 0).any():
        row = int(np.flatnonzero(backwards)[0])
        raise _unordered(times_N, lines, row, setting, repeated=gap_M[row] == 0)
    if step.months == 0:
        step = Step(seconds=Counter(gap_M.tolist()).most_common(1)[0][0])
        index_N = np.concatenate(([0], np.cumsum(gap_M // step.seconds)))
        odd_M = gap_M % step.seconds != 0
        whole_M = gap_M // step.seconds
    else:
        odd_M, whole_M = np.zeros(len(gap_M), dtype=bool), np.diff(index_N)
    if not odd_M.any() and index_N[-1] + 1 - len(times_N) > _MOST_ABSENT * (index_N[-1] + 1):
        odd_M = whole_M > 1
    if odd_M.any():
        row = int(np.flatnonzero(odd_M)[0])
        raise DataError(
            f"{setting}, line {lines[row + 1]}: {Step(int(gap_M[row]))} after line {lines[row]}, where most rows "
            f"are {step} apart{_clocks(times_N[row])}",
            "give a row for each step, with empty cells for missing values; task.time_column=rows takes rows as steps",
            f"{int(odd_M.sum()):,} of {len(gap_M):,} steps differ" if odd_M.sum() > 1 else "",
        )
    return step, index_N


def _months(times_N: Times) -> tuple[Step, npt.NDArray[np.int64]]:
    """The same for rows at one day and time of whole months, or on the last day of each; Step() for others."""
    month_N = times_N.astype("datetime64[M]")
    left_N = (month_N + 1).astype("datetime64[s]") - times_N
    from_end = bool((left_N <= np.timedelta64(86_400, "s")).all())
    gaps = np.diff(month_N.astype(np.int64))
    if len(np.unique(left_N if from_end else times_N - month_N)) > 1 or gaps.min() < 1:
        return Step(), np.arange(len(times_N))
    months = Counter(gaps.tolist()).most_common(1)[0][0]
    if (gaps % months).any():
        return Step(), np.arange(len(times_N))
    return Step(months=months, from_end=from_end), np.concatenate(([0], np.cumsum(gaps // months)))


def _unordered(times_N: Times, lines: Sequence[int], row: int, setting: str, *, repeated: bool) -> DataError:
    if repeated:
        return DataError(
            f"{setting}, line {lines[row + 1]}: the time of line {lines[row]}, {shown(times_N[row])}, again"
            f"{_clocks(times_N[row])}",
            "keep one row for each time; several series need a column each",
        )
    return DataError(
        f"{setting}, line {lines[row + 1]}: {shown(times_N[row + 1])} comes after {shown(times_N[row])}",
        "sort the rows by time; several series need a column each",
    )


def _clocks(time: np.datetime64) -> str:
    """A note on a night in which clocks may change: on a Sunday of spring or autumn, soon after midnight."""
    when = time.astype(datetime)
    night = when.isoweekday() == 7 and when.month in (3, 4, 9, 10, 11) and when.hour <= 4
    return ": a night in which clocks change; give times in UTC, or with their offset (+02:00)" if night else ""


def shown(time: np.datetime64, *, daily: bool = False, short: bool = False) -> str:
    """A time for people, without seconds that are 0. daily: the date alone; short: the weekday in place of the date of
    times within days."""
    when: datetime = time.astype("datetime64[s]").astype(datetime)
    if daily:
        return f"{when:%Y-%m-%d}"
    return f"{when:%a %H:%M}" if short else f"{when:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
