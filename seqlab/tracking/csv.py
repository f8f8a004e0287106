"""A table of all curves in the run's folder, for spreadsheets and pandas: metrics.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.files import read_plain, write_text
from seqlab.tracking.tracker import Entry, Final, Kept, TrackedRun, Tracker, TrackerConfig

_FILE = "metrics.csv"
_FIRST = ("step", "tokens", "seconds")
Row = dict[str, str]


@config_dataclass(frozen=True, kw_only=True)
class CSVConfig(TrackerConfig):
    """Settings of `logging=csv`."""

    shows_pictures: ClassVar[bool] = False

    def open(self, run: TrackedRun) -> Tracker:
        return _Table(run.folder / _FILE)

    def rewind(self, folder: Path, kept: Kept) -> None:
        path = folder / _FILE
        if not path.exists():
            return
        rows = []
        for row in _read(path):
            step = int(row["step"])
            cells = {tag: cell for tag, cell in row.items() if tag not in _FIRST and cell and kept(step, [tag])}
            if cells:
                rows.append({name: row.get(name) or "" for name in _FIRST} | cells)
        _write(path, rows)


class _Table(Tracker):
    """One row a step and one column a scalar. The file is written whole at each validation and checkpoint."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = _read(path) if path.exists() else []

    def log(self, entry: Entry) -> None:
        if entry.seconds is None:  # of pictures
            return
        if not self._rows or self._rows[-1]["step"] != str(entry.step):
            place = zip(_FIRST, (entry.step, entry.tokens, entry.seconds), strict=True)
            self._rows.append({name: str(value) for name, value in place})
        self._rows[-1] |= {tag: repr(value) for tag, value in entry.scalars.items()}

    def flush(self) -> None:
        _write(self._path, self._rows)

    def finish(self, final: Final) -> None:
        if self._rows:
            self._rows[-1] |= {tag: repr(value) for tag, value in final.scalars.items()}

    def close(self, finished: bool) -> None:
        self.flush()


def _read(path: Path) -> list[Row]:
    """The rows whose step can be read, without cells beyond the header."""
    text = read_plain(path, 2**30).decode("utf-8", errors="replace")
    return [
        {tag: cell for tag, cell in row.items() if tag is not None}
        for row in csv.DictReader(io.StringIO(text, newline=""))
        if (row.get("step") or "").isdecimal()
    ]


def _write(path: Path, rows: Sequence[Row]) -> None:
    columns = list(dict.fromkeys((*_FIRST, *(tag for row in rows for tag in row))))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
