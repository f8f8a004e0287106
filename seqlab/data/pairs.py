"""A user's own sentence pairs."""

from __future__ import annotations

from pathlib import Path

from seqlab.data.files import find_corpus, read_text
from seqlab.errors import DataError


def read_pairs(where: str, key: str) -> list[tuple[str, str]]:
    """(source, translation) from a TSV file or from two line-aligned files `A,B`. White space is collapsed;
    a line of one of the two files may be empty."""
    paths = [Path(part).expanduser() for part in where.split(",")]
    if len(paths) == 1:
        form = "a TSV file, or of two line-aligned files: 'task.corpus=\"a.en,a.fr\"'"
        path = find_corpus(where, key, ("cldr",), form)
        # any extension holds tabs here: the text of a translation is full of commas
        rows = [line.split("\t") for line in read_text(path, key).split("\n")]
        rows = [row for row in rows if row != [""]]
        for number, row in enumerate(rows, start=1):
            if len(row) < 2 or not row[0].strip() or not row[1].strip():
                raise DataError(f"{key}={where}: row {number} has no translation", "separate the two by a tab")
        pairs = [(row[0], row[1]) for row in rows]
    elif len(paths) == 2:
        sides = [read_text(path, key).removesuffix("\n").split("\n") for path in paths]
        if len(sides[0]) != len(sides[1]):
            raise DataError(
                f"{key}={where}: {len(sides[0])} lines against {len(sides[1])}",
                "line-aligned files have as many lines",
            )
        pairs = list(zip(*sides, strict=True))
    else:
        raise DataError(f"{key}={where} names {len(paths)} files", "give one TSV file, or two line-aligned files")
    return [(" ".join(a.split()), " ".join(b.split())) for a, b in pairs]
