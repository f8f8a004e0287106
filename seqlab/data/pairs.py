"""A user's own sentence pairs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from babel import Locale

from seqlab.data.files import CorpusFile, exists, expanded, find_corpus, read_file
from seqlab.data.tables import quotes_taken_off
from seqlab.data.text import lines_of, read_text, text_of
from seqlab.errors import DataError, first_places

_TITLES = frozenset(("id", "source", "target", "src", "tgt", "trg", "sentence", "text", "translation", "original"))
_BETWEEN = re.compile(r"[\s;,|+]+")  # what people write between two names


@dataclass(frozen=True)
class ReadPairs:
    """The (source, translation) of each line; for Task.describe and Task.warnings, what of the file is not read so."""

    pairs: list[tuple[str, str]]
    facts: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def read_pairs(where: str, key: str) -> ReadPairs:
    """The pairs of a TSV file, or of two line-aligned files `A,B`, of which a line may be empty. White space is
    collapsed. Raises DataError where a line of a TSV file lacks one of the two, or the two files have not as many
    lines."""
    paths = _paths(where, key)
    if len(paths) == 1:
        return _separated(paths[0], where, key)
    return ReadPairs(_collapsed(_aligned(paths, where, key)))


def _collapsed(pairs: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    return [(" ".join(a.split()), " ".join(b.split())) for a, b in pairs]


def _paths(where: str, key: str) -> list[Path]:
    """One file, or two: a comma may also belong to a name."""
    if where.strip() and exists(expanded(where)):
        return [expanded(where)]
    parts = where.split(",")
    cuts = list(_cuts(parts))
    there = [pair for pair in cuts if all(map(exists, pair))]
    if not there and (two := _two_files(where)) is not None:
        meant = shlex.quote(f"{key}={','.join(two)}")
        raise DataError(f"{key}={where}: two files are joined by a comma alone", f"try {meant}")
    if len(parts) == 1:
        form = "a TSV file, or of two line-aligned files: task.corpus=a.en,a.fr"
        return [find_corpus(where, key, ("cldr",), form)]
    if not there and len(parts) > 2:
        raise DataError(f"{key}={where} names {len(parts)} files", "give one TSV file, or two line-aligned files")
    return list((there or cuts)[0])


def _two_files(where: str) -> tuple[str, str] | None:
    """The two files that are named in another way: `a.en a.fr`, `a.en;a.fr`, `[a.en, a.fr]`."""
    marks = " \t[](){}'\""
    for between in _BETWEEN.finditer(where):
        first, second = where[: between.start()].strip(marks), where[between.end() :].strip(marks)
        if first and second and exists(expanded(first)) and exists(expanded(second)):
            return first, second
    return None


def _cuts(parts: list[str]) -> Iterator[tuple[Path, Path]]:
    for place in range(1, len(parts)):
        first, second = ",".join(parts[:place]), ",".join(parts[place:])
        yield expanded(first), expanded(second)
        yield expanded(first.strip()), expanded(second.strip())


def _separated(path: Path, where: str, key: str) -> ReadPairs:
    """Any ending holds tabs here: the text of a translation is full of commas. Nothing after a second tab is read."""
    file = read_file(path, key)
    lines = [(n, line.rstrip().split("\t")) for n, line in enumerate(lines_of(text_of(file)), 1) if line.strip()]
    lacking = [n for n, cells in lines if len(cells) < 2 or not cells[0].strip() or not cells[1].strip()]
    if lacking:
        raise DataError(
            f"{key}={where}: {len(lacking)} of {len(lines)} rows have no translation, or no source: "
            f"{first_places('line', lacking)}",
            "write the source, a tab, the translation",
        )
    rows = quotes_taken_off([(n, cells[:2]) for n, cells in lines], f"{key}={where}")
    width = max(len(cells) for _, cells in lines)
    facts = {f"columns of {key} that are not read": f"{width - 2} of {width}"} if width > 2 else {}
    warnings = _doubts([cells for _, cells in rows], [cells for _, cells in lines], file, f"{key}={where}")
    return ReadPairs(_collapsed([pair for _, pair in rows]), facts, tuple(warnings))


def _doubts(pairs: list[list[str]], lines: list[list[str]], file: CorpusFile, name: str) -> Iterator[str]:
    """A header that is read as a pair, and numbers that are read as sources where a third column is not read at all,
    each with the command that takes it away."""
    target = PurePosixPath(file.name)
    into = f"> {shlex.quote(f'{target.stem}.pairs{target.suffix}')}"
    header = _is_header(pairs[0])
    if header:
        shown = " and ".join(repr(title.strip()) for title in pairs[0])
        yield f"the first line of {name} is read as a pair: {shown}. A header? {file.unpack} | tail -n +2 {into}"
    below = lines[header:]
    columns = [[cell.strip() for cell in column if cell.strip()] for column in zip_longest(*below, fillvalue="")]
    numbers = [all(map(str.isdecimal, column)) for column in columns]
    if len(below) > 1 and len(numbers) > 2 and numbers[0]:
        texts = [str(place) for place, is_numbers in enumerate(numbers, 1) if not is_numbers]
        cut = f" {file.unpack} | cut -f{','.join(texts[:2])} {into}" if len(texts) > 1 else ""
        yield (
            f"each source of {name} is a number ({below[0][0].strip()}, ...), and columns after the second are not "
            f"read. An id?{cut}"
        )


def _is_header(cells: list[str]) -> bool:
    """Whether both cells of a line are titles of columns: languages, by their English names or their codes, or words
    such as source."""
    languages = {code: name for code, name in Locale("en").languages.items() if len(code) == 2}
    titles = {*_TITLES, *languages, *map(str.casefold, languages.values())}
    found = {cell.strip().casefold() for cell in cells}
    return len(found) == 2 and found <= titles  # a word may be the same in two languages


def _aligned(paths: list[Path], where: str, key: str) -> list[tuple[str, str]]:
    sides = [lines_of(read_text(path, key)) for path in paths]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"{key}={where}: {len(sides[0]):,} lines in {paths[0].name}, {len(sides[1]):,} in {paths[1].name}",
            "line-aligned files have as many lines: see wc -l, and where they part",
        )
    return list(zip(*sides, strict=True))
