"""A user's own tables: CSV and similar formats, or JSON Lines, with errors that name the line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from seqlab.data.files import MOST_BYTES, read_file
from seqlab.data.json_lines import JSON_ENDINGS, read_json_lines
from seqlab.data.text import lines_of, text_of
from seqlab.errors import DataError

csv.field_size_limit(MOST_BYTES)  # a long text is truncated and counted later, not refused
SEPARATORS = (",", ";", "\t", "|")
_SNIFFED = 2**17  # characters from which the separator is detected
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_EXCEL_LINE = re.compile(r"sep=(.)\n")

Row = tuple[int, list[str]]
"""(the line on which it starts, its cells)."""


def _one_separator(text: str) -> str:
    text = "\t" if text in ("tab", "\\t") else text
    if len(text) != 1 or text.isalnum() or text in '"\n\r':
        raise ValueError("give one character, or the word tab")
    return text


Separator = Annotated[str, AfterValidator(_one_separator)]
"""The separator between the fields of a row: one character, or the word `tab`."""


@dataclass(frozen=True)
class Table:
    """Rows with equal numbers of cells. setting: the setting that named the file, as `key=path`; header: the names of
    the columns, or None if the file has none."""

    setting: str
    header: tuple[str, ...] | None
    rows: list[Row]

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.header if self.header is not None else self.rows[0][1])


def read_table(
    path: Path, key: str, *, separator: str | None, header: bool, wanted: Sequence[str], fixed: bool = False
) -> Table:
    """The non-empty rows of a file.

    JSON Lines (.jsonl, .ndjson, .json): one object per line, whose keys are the columns. All other files: separated
    fields; separator=None detects which of , ; tab | divides the first lines into columns. wanted: the columns to look
    for in a header. fixed: no setting names another separator, and no message does. A lone CR in a field is read as a
    space. Raises DataError, with the line, for a row with more or fewer fields than the header, and for a quote that is
    never closed, or only in a later row.
    """
    file = read_file(path, key)
    text = text_of(file)
    if file.name.lower().endswith(JSON_ENDINGS):
        names, rows = read_json_lines(text, file.setting, wanted)
        return Table(file.setting, names, rows)
    text = text.replace("\r", " ")
    if found := _EXCEL_LINE.match(text):  # Excel's line `sep=;` becomes empty, so that line numbers stay right
        separator, text = separator or found[1], "\n" + text[found.end() :]
    separator = separator or _sniffed(text, wanted if header else (), file.name)
    rows = _tab_separated(text, file.setting) if separator == "\t" else _quoted_rows(text, separator, file.setting)
    rows = [row for row in rows if any(cell.strip() for cell in row[1])]
    if not rows:
        raise DataError(f"{file.setting} has no rows", "give a table with a row for each text")
    if len(rows[0][1]) == 1:
        _check_separator(rows[0], separator, _sniffed(text, wanted if header else (), file.name), file.setting)
    _check_quotes(rows, lines_of(text), separator, file.setting)
    _check_widths(rows, separator, file.setting, fixed=fixed)
    if not header:
        return Table(file.setting, None, rows)
    return Table(file.setting, tuple(cell.strip() for cell in rows[0][1]), rows[1:])


def named(separator: str) -> str:
    """A separator as the user writes it in task.separator."""
    return "tab" if separator == "\t" else f"'{separator}'"


def _sniffed(text: str, wanted: Sequence[str], name: str) -> str:
    """The separator that gives columns with the wanted names, or else rows of the most equal length; if neither
    decides, the one that the file's ending suggests."""
    promised = "," if name.lower().endswith(".csv") else "\t"
    head = text[:_SNIFFED].rpartition("\n")[0] if len(text) > _SNIFFED else text

    def evidence(separator: str) -> tuple[float, ...]:
        rows = _widths_and_header(head, separator)
        if not rows or len(rows[0]) < 2:
            return (-1.0,)
        alike = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        titles = {cell.strip() for cell in rows[0]}
        return (sum(name in titles for name in wanted), alike, separator == promised, len(rows[0]))

    best = max(SEPARATORS, key=evidence)
    return best if evidence(best) > (-1.0,) else promised


def _widths_and_header(head: str, separator: str) -> list[list[str]]:
    """The rows at the beginning of a text, read without raising errors."""
    plain = [line.split(separator) for line in lines_of(head) if line.strip()]
    if len({len(row) for row in plain}) == 1:
        return plain
    return [row for row in csv.reader(io.StringIO(head), delimiter=separator) if any(cell.strip() for cell in row)]


def _quoted_rows(text: str, separator: str, setting: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    rows: list[Row] = []
    start = 1
    try:
        for row in reader:
            rows.append((start, row))
            start = reader.line_num + 1
    except csv.Error as error:
        open_end = "unexpected end" in str(error)
        what = "a field's quote is never closed" if open_end else "text follows the closing quote of a field"
        raise DataError(
            f"{setting}, line {start}: {what if open_end or 'expected after' in str(error) else error}",
            'a quoted field ends with a quote, and quotes inside it are doubled: "He said ""no"""',
            f"line {start}: {text.split(chr(10), start)[start - 1][:100]}",
        ) from error
    return rows


def _tab_separated(text: str, setting: str) -> list[Row]:
    """Tab-separated rows. Most programs write such fields without quotes, and a quote belongs to the text; pandas
    quotes fields that contain a quote, a tab or a line end, and R quotes every text: these quotes are removed."""
    rows = [(n, line.split("\t")) for n, line in enumerate(lines_of(text), 1) if line.strip()]
    if len({len(row) for _, row in rows}) > 1:  # perhaps quoted fields hold tabs or line ends
        try:
            return _quoted_rows(text, "\t", setting)
        except DataError:
            if _has_doubled_quotes(rows):
                raise
            return rows
    return quotes_taken_off(rows, setting)


def quotes_taken_off(rows: list[Row], setting: str) -> list[Row]:
    """Tab-separated rows without the quotes that a program put around fields, recognised by a doubled quote inside a
    field or a column in which every cell is quoted. Raises DataError if only some of these quotes are closed."""
    wrong = [n for n, row in rows for cell in row if cell.startswith('"') and not _QUOTED.fullmatch(cell)]
    doubled = _has_doubled_quotes(rows)
    if doubled and wrong:
        raise DataError(
            f"{setting}, line {wrong[0]}: a field's quote is not closed, or text follows it",
            'a quoted field ends with a quote, and quotes inside it are doubled: "He said ""no"""',
        )
    if wrong or not (doubled or _has_quoted_column(rows)):
        return rows
    return [(n, [_without_quotes(cell) for cell in row]) for n, row in rows]


def _has_doubled_quotes(rows: list[Row]) -> bool:
    return any(_QUOTED.fullmatch(cell) and '""' in cell[1:-1] for _, row in rows for cell in row)


def _has_quoted_column(rows: list[Row]) -> bool:
    return any(all(cell.startswith('"') for cell in column) for column in zip(*(row for _, row in rows), strict=True))


def _without_quotes(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _check_separator(row: Row, separator: str, likely: str, setting: str) -> None:
    """Raise DataError if the first row has one field, but another separator would divide it."""
    line, (cell,) = row
    if likely != separator and likely in cell:
        raise DataError(
            f"{setting}, line {line}: it is not separated by {named(separator)} but by {named(likely)}",
            f"try task.separator={named(likely)}, or drop task.separator",
            f"line {line}: {cell[:100]}",
        )


def _check_quotes(rows: list[Row], lines: list[str], separator: str, setting: str) -> None:
    """Raise DataError for a quoted field that swallows whole rows: its lines have as many fields as a row and, in
    columns outside the field, values that other rows have there too, such as a label."""
    width = len(rows[0][1])
    spans = [(n, n + ends, row) for n, row in rows if (ends := sum(cell.count("\n") for cell in row))]
    if width < 2 or not spans:
        return
    known = [set(column) - {""} for column in zip_longest(*(row for _, row in rows), fillvalue="")]

    def is_row(cells: list[str], places: range) -> bool:
        return len(cells) == width and any(cells[place].strip('"') in known[place] for place in places)

    for start, end, row in spans:
        held = [place for place, cell in enumerate(row) if "\n" in cell]
        first, *inner, last = (line.split(separator) for line in lines[start - 1 : end])
        fits = len(first) == len(last) == width
        ends_like_rows = is_row(first, range(held[0] + 1, width)) or is_row(last, range(held[-1]))
        if fits and ends_like_rows and sum(is_row(cells, range(width)) for cells in inner) >= len(inner) / 2:
            raise DataError(
                f"{setting}, line {start}: the quote opened here closes in line {end}, but these lines look like rows",
                'remove both quotes, or close each in its own line; a quote inside a quoted field is doubled: ""no""',
                f"line {start}: {lines[start - 1][:100]}",
            )


def _check_widths(rows: list[Row], separator: str, setting: str, *, fixed: bool) -> None:
    (first, titles), *_ = rows
    ragged = [(n, row) for n, row in rows if len(row) != len(titles)]
    if not ragged:
        return
    line, row = ragged[0]
    open_quote = any("\n" in cell for cell in row)
    others = f"; {len(ragged):,} of {len(rows):,} lines differ" if len(ragged) > 1 else ""
    raise DataError(
        f"{setting}, line {line}: {len(row)} fields where line {first} has {len(titles)}{others}",
        "a quote is not closed there"
        if open_quote
        else f'quote a text that contains {named(separator)}: "..."'
        + ", or name another separator: task.separator=tab" * (not fixed),
        f"line {line}: {separator.join(row)[:100]}",
    )
