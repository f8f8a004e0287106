"""Tables of a user's own: CSV and its kin, or JSON Lines, with errors that name the line."""

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

csv.field_size_limit(MOST_BYTES)  # a long text is cut and counted later, not refused
SEPARATORS = (",", ";", "\t", "|")
_SNIFFED = 2**17  # characters from which the separator is told
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
"""What stands between the fields of a row: one character, or the word `tab`."""


@dataclass(frozen=True)
class Table:
    """Rows of equally many cells. setting: what named the file, as `key=path`; header: the names of the columns, None
    where the file has none."""

    setting: str
    header: tuple[str, ...] | None
    rows: list[Row]

    @property
    def width(self) -> int:
        """How many columns it has."""
        return len(self.header if self.header is not None else self.rows[0][1])


def read_table(path: Path, key: str, *, separator: str | None, header: bool, wanted: Sequence[str]) -> Table:
    """The rows of a file, empty ones left out.

    JSON Lines (.jsonl, .ndjson, .json): an object on each line, its keys are the columns. Everything else: fields
    between separators; separator=None takes that of , ; tab | by which the first lines fall into columns. wanted: the
    names of columns that a header is looked through for. In fields a lone CR is a space. Raises DataError, with the
    line, for a row with more or fewer fields than the header, and for a quote that is not closed, or in a later row.
    """
    file = read_file(path, key)
    text = text_of(file)
    if file.name.lower().endswith(JSON_ENDINGS):
        names, rows = read_json_lines(text, file.setting, wanted)
        return Table(file.setting, names, rows)
    text = text.replace("\r", " ")
    if found := _EXCEL_LINE.match(text):  # Excel's own way to name the separator; the line keeps its number
        separator, text = separator or found[1], "\n" + text[found.end() :]
    separator = separator or _sniffed(text, wanted if header else (), file.name)
    rows = _tab_separated(text, file.setting) if separator == "\t" else _quoted_rows(text, separator, file.setting)
    rows = [row for row in rows if any(cell.strip() for cell in row[1])]
    if not rows:
        raise DataError(f"{file.setting} has no rows", "give a table with a row for each text")
    if len(rows[0][1]) == 1:
        _check_separator(rows[0], separator, _sniffed(text, wanted if header else (), file.name), file.setting)
    _check_quotes(rows, lines_of(text), separator, file.setting)
    _check_widths(rows, separator, file.setting)
    if not header:
        return Table(file.setting, None, rows)
    return Table(file.setting, tuple(cell.strip() for cell in rows[0][1]), rows[1:])


def named(separator: str) -> str:
    """A separator as task.separator takes it."""
    return "tab" if separator == "\t" else f"'{separator}'"


def _sniffed(text: str, wanted: Sequence[str], name: str) -> str:
    """The separator whose columns hold the wanted names, or else whose rows are the most alike; where that says
    nothing, the one that the file's ending promises."""
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
    """The rows of a text's beginning, read without complaints."""
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
            'a field in quotes ends with a quote, and doubles those inside: "He said ""no"""',
            f"line {start}: {text.split(chr(10), start)[start - 1][:100]}",
        ) from error
    return rows


def _tab_separated(text: str, setting: str) -> list[Row]:
    """Rows between tabs. Most programs put no quotes around fields there, and a quote belongs to the text; pandas puts
    them around what holds a quote, a tab or a line end, and R around every text: then they are taken off."""
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
    """Rows of cells as they stand between tabs, without the quotes that a program put around them: told by a quote
    doubled inside one, or by a column of them. Raises DataError where only some of such quotes are closed."""
    wrong = [n for n, row in rows for cell in row if cell.startswith('"') and not _QUOTED.fullmatch(cell)]
    doubled = _has_doubled_quotes(rows)
    if doubled and wrong:
        raise DataError(
            f"{setting}, line {wrong[0]}: a field's quote is not closed, or text follows it",
            'a field in quotes ends with a quote, and doubles those inside: "He said ""no"""',
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
    """Raise DataError where another one than that which was given separates a first row of one field."""
    line, (cell,) = row
    if likely != separator and likely in cell:
        raise DataError(
            f"{setting}, line {line}: no {named(separator)} separates it, and {named(likely)} does",
            f"try task.separator={named(likely)}, or leave it out",
            f"line {line}: {cell[:100]}",
        )


def _check_quotes(rows: list[Row], lines: list[str], separator: str, setting: str) -> None:
    """Raise DataError for a quoted field that holds rows: its lines have as many fields as a row, and where none of the
    row's own stand, some that other rows have in that column, as they have a label."""
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
                f"{setting}, line {start}: the quote opened here closes in line {end}; these lines look like rows",
                'take both quotes out, or close each in its own line; inside such a field they are doubled: ""no""',
                f"line {start}: {lines[start - 1][:100]}",
            )


def _check_widths(rows: list[Row], separator: str, setting: str) -> None:
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
        else f'put a text that holds {named(separator)} in quotes: "...", or say what separates: task.separator=tab',
        f"line {line}: {separator.join(row)[:100]}",
    )
