"""A user's own sentence pairs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from babel import Locale

from seqlab.data.files import CorpusFile, exists, expanded, find_corpus, read_file
from seqlab.data.tables import quotes_taken_off
from seqlab.data.text import collapsed, lines_of, read_text, text_of
from seqlab.errors import DataError, first_places

_TITLES = frozenset(("id", "source", "target", "src", "tgt", "trg", "sentence", "text", "translation", "original"))
_BETWEEN = re.compile(r"[\s;,|+]+")  # what people write between two names


@dataclass(frozen=True)
class ReadPairs:
    """The (source, translation) pairs of a file, with facts and warnings about the rest of it."""

    pairs: list[tuple[str, str]]
    facts: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def read_pairs(where: str, key: str, corpora: Iterable[str] = ()) -> ReadPairs:
    """The pairs of a TSV file, or of two line-aligned files `A,B`, whose lines may be empty. White space is
    collapsed. Raises DataError if a line of a TSV file lacks source or translation, or if the two files differ in their
    number of lines. corpora: names that the setting may also give, for messages."""
    paths = _paths(where, key, corpora)
    if len(paths) == 1:
        return _separated(paths[0], where, key)
    return ReadPairs(collapsed(_aligned(paths, where, key)))


def _paths(where: str, key: str, corpora: Iterable[str]) -> list[Path]:
    """One path, or two; a comma may also be part of a file name."""
    if where.strip() and exists(expanded(where)):
        return [expanded(where)]
    parts = where.split(",")
    cuts = list(_cuts(parts))
    there = [pair for pair in cuts if all(map(exists, pair))]
    if not there and (two := _two_files(where)) is not None:
        meant = shlex.quote(f"{key}={','.join(two)}")
        raise DataError(f"{key}={where}: separate two files by a comma only", f"try {meant}")
    if len(parts) == 1:
        form = "a TSV file, or the paths of two line-aligned files: task.corpus=a.en,a.fr"
        return [find_corpus(where, key, corpora, form)]
    if not there and len(parts) > 2:
        raise DataError(f"{key}={where} names {len(parts)} files", "give one TSV file, or two line-aligned files")
    return list((there or cuts)[0])


def _two_files(where: str) -> tuple[str, str] | None:
    """Two existing files that are written in another form: `a.en a.fr`, `a.en;a.fr`, `[a.en, a.fr]`."""
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
    """The pairs of a tab-separated file with any ending (commas are common in translations). Columns after the second
    are ignored."""
    file = read_file(path, key)
    lines = [(n, line.rstrip().split("\t")) for n, line in enumerate(lines_of(text_of(file)), 1) if line.strip()]
    lacking = [n for n, cells in lines if len(cells) < 2 or not cells[0].strip() or not cells[1].strip()]
    if lacking:
        raise DataError(
            f"{key}={where}: {len(lacking)} of {len(lines)} rows have no translation, or no source: "
            f"{first_places('line', lacking)}",
            "each line is: source, tab, translation",
        )
    rows = quotes_taken_off([(n, cells[:2]) for n, cells in lines], f"{key}={where}")
    width = max(len(cells) for _, cells in lines)
    facts = {f"ignored columns of {key}": f"{width - 2} of {width}"} if width > 2 else {}
    warnings = _doubts([cells for _, cells in rows], [cells for _, cells in lines], file, f"{key}={where}")
    return ReadPairs(collapsed([pair for _, pair in rows]), facts, tuple(warnings))


def _doubts(pairs: list[list[str]], lines: list[list[str]], file: CorpusFile, name: str) -> Iterator[str]:
    """Warnings about a header that is read as a pair, and about numeric sources in a file whose third column is
    ignored, each with the command that removes the line or the column."""
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
            f"each source of {name} is a number ({below[0][0].strip()}, ...), and columns after the second are "
            f"ignored. An id?{cut}"
        )


def _is_header(cells: list[str]) -> bool:
    """Whether both cells of a line are column titles: names or codes of languages, or words such as "source"."""
    languages = {code: name for code, name in Locale("en").languages.items() if len(code) == 2}
    titles = {*_TITLES, *languages, *map(str.casefold, languages.values())}
    found = {cell.strip().casefold() for cell in cells}
    return len(found) == 2 and found <= titles  # a word may be the same in two languages


def _aligned(paths: list[Path], where: str, key: str) -> list[tuple[str, str]]:
    sides = [lines_of(read_text(path, key)) for path in paths]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"{key}={where}: {len(sides[0]):,} lines in {paths[0].name}, {len(sides[1]):,} in {paths[1].name}",
            "line-aligned files have the same number of lines: compare them with wc -l",
        )
    return list(zip(*sides, strict=True))
