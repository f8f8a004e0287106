"""Tables of time series: what is read, and what is refused with the line."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from seqlab.data.series import Series, read_series
from seqlab.data.series_text import parsed, written
from seqlab.errors import DataError

START = datetime(2024, 3, 1)


def _table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "series.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _read(path: Path, *columns: str, **options: str) -> Series:
    time = options.pop("time_column", None)
    return read_series(path, "task.corpus", time_column=time, value_columns=columns, **options)


def _hours(count: int, form: str = "%Y-%m-%d %H:%M", start: datetime = START) -> list[str]:
    return [(start + timedelta(hours=hour)).strftime(form) for hour in range(count)]


FORMS = ["%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%MZ", "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M"]


@pytest.mark.parametrize("form", FORMS)
def test_times_are_read_in_any_usual_form(tmp_path: Path, form: str) -> None:
    """Day and month in the order that gives equal steps; newest first is turned around."""
    lines = [f"{time},{row}" for row, time in enumerate(_hours(400, form))]
    for rows in (lines, lines[::-1]):
        found = _read(_table(tmp_path, "when,load", *rows))
        assert (found.names, str(found.step), found.missing) == (("load",), "1 hour", "")
        assert found.value_NV[:, 0].tolist() == list(range(400))
        assert found.times_N is not None
        assert found.times_N[-1] == np.datetime64("2024-03-17T15:00")


def test_times_with_an_offset_are_equal_steps_where_clocks_change(tmp_path: Path) -> None:
    """The hour that comes twice in local time is refused, and the night pointed out."""
    offsets = ["+02:00", "+02:00", "+02:00", "+01:00", "+01:00"]
    clock = [f"2024-10-27 0{hour}:00" for hour in (0, 1, 2, 2, 3)]
    aware = [f"{time.replace(' ', 'T')}{offset},1" for time, offset in zip(clock, offsets, strict=True)]
    assert str(_read(_table(tmp_path, "time,load", *aware)).step) == "1 hour"
    with pytest.raises(DataError, match=r"line 5: the time of line 4, .*clocks change; give times in UTC"):
        _read(_table(tmp_path, "time,load", *(f"{time},1" for time in clock)))


@pytest.mark.parametrize(
    ("times", "step", "seasons"),
    [
        (["2024-01-31", "2024-02-01", "2024-02-02"], "1 day", (7,)),
        (["1949-01", "1949-02", "1949-03"], "1 month", (12,)),
        (["2023-12-01", "2024-03-01", "2024-06-01"], "3 months", (4,)),
        (["2023-12-31", "2024-01-31", "2024-02-29"], "1 month", (12,)),
        (["2024-01-01 00:00", "2024-01-01 00:30", "2024-01-01 01:00"], "30 minutes", (48, 336)),
    ],
)
def test_the_step_and_its_usual_seasons(tmp_path: Path, times: list[str], step: str, seasons: tuple[int, ...]) -> None:
    found = _read(_table(tmp_path, "time,load", *(f"{time},{row}" for row, time in enumerate(times))))
    assert found.step is not None
    assert (str(found.step), found.step.seasons()) == (step, seasons)
    assert found.times_N is not None
    assert found.step.after(found.times_N[0], 2) == found.times_N[2]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1,5", "2,25", "-3"], [1.5, 2.25, -3]),
        (["1.234,5", "2.000,0", "3"], [1234.5, 2000, 3]),
        (["1,234.5", "2,000.25", "3"], [1234.5, 2000.25, 3]),
        (["1e3", ".5", "+2."], [1000, 0.5, 2]),
    ],
)
def test_decimal_marks_are_found(tmp_path: Path, cells: list[str], values: list[float]) -> None:
    rows = [f"{time};{cell}" for time, cell in zip(_hours(3), cells, strict=True)]
    assert _read(_table(tmp_path, "time;load", *rows)).value_NV[:, 0].tolist() == values


def test_a_mark_that_could_be_either_is_asked_for(tmp_path: Path) -> None:
    path = _table(tmp_path, "time;load", *(f"{time};1,234" for time in _hours(3)))
    with pytest.raises(DataError, match=r"two ways\n.*task.decimal"):
        _read(path)
    assert _read(path, decimal=",").value_NV[0, 0] == 1.234
    assert _read(path, decimal=".").value_NV[0, 0] == 1234


def test_missing_values_and_rows_are_named(tmp_path: Path) -> None:
    rows = [f"{time},{'NA' if row in (3, 9) else row}" for row, time in enumerate(_hours(30))]
    del rows[20]
    found = _read(_table(tmp_path, "time,load", *rows))
    assert found.missing == "2 of 29 values of load are missing (lines 5, 11); 1 row is left out (after line 21)"
    assert np.flatnonzero(np.isnan(found.value_NV[:, 0])).tolist() == [3, 9, 20]
    assert len(found.value_NV) == 30
    assert found.times_N is not None
    assert len(np.unique(np.diff(found.times_N))) == 1


BAD = {
    "line 4: 2024-02-01 00:00 comes after 2024-03-01 01:00": (*_hours(2), "2024-02-01 00:00", "2024-03-02 00:00"),
    "line 4: the time of line 3, 2024-03-01 01:00, again\n": (*_hours(2), "2024-03-01 01:00", "2024-03-01 02:00"),
    "line 12: 77 minutes after line 11, where most rows are 1 hour": (
        *_hours(10),
        "2024-03-01 10:17",
        "2024-03-01 11:00",
    ),
    "line 4: 3 days after line 3, where most rows are 1 day": ("2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07"),
    "line 3: 'yesterday' is no time": ("2024-03-01", "yesterday", "2024-03-03"),
    "line 3: '2024-03-01 02:00' and '2024-03-01T00:00+01:00': one has an offset": (
        "2024-03-01T00:00+01:00",
        "2024-03-01 02:00",
    ),
    "line 3: '0001-01-01T00:00+14:00' is no time": ("2024-03-01T00:00Z", "0001-01-01T00:00+14:00", "2024-03-02T00:00Z"),
    "has one row": ("2024-03-01",),
}


@pytest.mark.parametrize("message", BAD)
def test_times_that_are_no_equal_steps_are_refused_with_the_line(tmp_path: Path, message: str) -> None:
    with pytest.raises(DataError) as caught:
        _read(_table(tmp_path, "time,load", *(f"{time},1" for time in BAD[message])))
    assert message in str(caught.value)
    assert len(caught.value.lines()) <= 3


@pytest.mark.parametrize("cell", ["broken", "inf", "1e999", "12abc", "0x10", "1_000"])
def test_what_is_no_finite_number_is_refused_with_the_line(tmp_path: Path, cell: str) -> None:
    rows = [f"{time},{cell if row == 7 else row}" for row, time in enumerate(_hours(20))]
    with pytest.raises(DataError, match=r"line 9: .* in column 'load' is no finite number"):
        _read(_table(tmp_path, "time,load", *rows))


def test_columns_are_found_or_asked_for(tmp_path: Path) -> None:
    rows = [f"{time},{row},{2 * row},rain" for row, time in enumerate(_hours(5))]
    path = _table(tmp_path, "time,load,temp,weather", *rows)
    with pytest.raises(DataError, match=r"2 columns of numbers(.|\n)*columns: load, temp"):
        _read(path)
    assert _read(path, "temp", "2").names == ("temp", "load")
    with pytest.raises(DataError, match=r"no column 'loads'\ndid you mean 'task.value_columns=\[load\]'"):
        _read(path, "loads")
    with pytest.raises(DataError, match="'rain' in column 'weather' is no finite number"):
        _read(path, "weather")
    with pytest.raises(DataError, match="named twice"):
        _read(path, "load", "load")
    with pytest.raises(DataError, match="has no header"):
        _read(_table(tmp_path, *rows))
    with pytest.raises(DataError, match="a header and no rows"):
        _read(_table(tmp_path, "time,load"))
    with pytest.raises(DataError, match="no column of numbers"):
        _read(_table(tmp_path, "time,a,b", *(f"{time},x,y" for time in _hours(5))))


def test_rows_without_times_are_a_step_apart(tmp_path: Path) -> None:
    found = _read(_table(tmp_path, "load", *map(str, range(9))))
    assert (found.step, found.times_N, found.later(2)) == (None, None, ["+1", "+2"])
    rows = [f"{time},{row}" for row, time in enumerate(_hours(9))]
    assert _read(_table(tmp_path, "time,load", *rows), time_column="rows").times_N is None


def test_a_series_is_written_and_read_as_a_line_of_text(tmp_path: Path) -> None:
    rows = [f"{time},{row},{row / 3:.3f}" for row, time in enumerate(_hours(9))]
    found = _read(_table(tmp_path, "time,load,temp", *rows), "load", "temp")
    again = parsed(written(found, 2, 4), found.names, found.step)
    assert np.array_equal(again.value_NV, found.value_NV[2:6])
    assert again.times_N is not None
    assert found.times_N is not None
    assert np.array_equal(again.times_N, found.times_N[2:6])
    for text in ("", "no such file", "1 2 3", "1/2/3"):
        with pytest.raises(DataError, match="neither a file nor a series"):
            parsed(text, found.names, found.step)
