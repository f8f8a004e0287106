"""A user's own sentence pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seqlab.data.files import exists, expanded, find_corpus
from seqlab.data.tables import quotes_taken_off
from seqlab.data.text import lines_of, read_text
from seqlab.errors import DataError, first_places


def read_pairs(where: str, key: str) -> list[tuple[str, str]]:
    """(source, translation) from a TSV file or from two line-aligned files `A,B`, of which a line may be
    empty. White space is collapsed. Raises DataError where a line of a TSV file lacks one of the two, or the two files
    have not as many lines."""
    paths = _paths(where, key)
    pairs = _aligned(paths, where, key) if len(paths) == 2 else _separated(paths[0], where, key)
    return [(" ".join(a.split()), " ".join(b.split())) for a, b in pairs]


def _paths(where: str, key: str) -> list[Path]:
    """One file, or two: a comma may also belong to a name."""
    parts = where.split(",")
    if len(parts) == 1 or exists(expanded(where)):
        form = "a TSV file, or of two line-aligned files: task.corpus=a.en,a.fr"
        return [find_corpus(where, key, ("cldr",), form)]
    cuts = list(_cuts(parts))
    there = [pair for pair in cuts if all(map(exists, pair))]
    if not there and len(parts) > 2:
        raise DataError(f"{key}={where} names {len(parts)} files", "give one TSV file, or two line-aligned files")
    return list((there or cuts)[0])


def _cuts(parts: list[str]) -> Iterator[tuple[Path, Path]]:
    for place in range(1, len(parts)):
        first, second = ",".join(parts[:place]), ",".join(parts[place:])
        yield expanded(first), expanded(second)
        yield expanded(first.strip()), expanded(second.strip())


def _separated(path: Path, where: str, key: str) -> list[tuple[str, str]]:
    """Any ending holds tabs here: the text of a translation is full of commas. Nothing after a second tab is read."""
    lines = enumerate(lines_of(read_text(path, key)), 1)
    rows = [(n, line.split("\t")[:2]) for n, line in lines if line.strip()]
    lacking = [n for n, row in rows if len(row) < 2 or not row[0].strip() or not row[1].strip()]
    if lacking:
        raise DataError(
            f"{key}={where}: {len(lacking)} of {len(rows)} rows have no translation, or no source: "
            f"{first_places('line', lacking)}",
            "write the source, a tab, the translation",
        )
    return [(source, target) for _, (source, target) in quotes_taken_off(rows, f"{key}={where}")]


def _aligned(paths: list[Path], where: str, key: str) -> list[tuple[str, str]]:
    sides = [lines_of(read_text(path, key)) for path in paths]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"{key}={where}: {len(sides[0]):,} lines in {paths[0].name}, {len(sides[1]):,} in {paths[1].name}",
            "line-aligned files have as many lines: see wc -l, and where they part",
        )
    return list(zip(*sides, strict=True))
