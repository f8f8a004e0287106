"""Labelled texts: the text and label columns of a table, and checks of the labels."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from seqlab.data.tables import Table, read_table
from seqlab.errors import DataError, first_places, likely_name, quoted

FEWEST_ROWS = 10
"""Rows that each label should have, so that every split gets some."""
_MOST_NUMBERS = 100  # numeric labels: a rating scale has fewer, measurements have more


def read_labelled(
    path: Path, key: str, text_column: str, label_column: str, *, separator: str | None, header: bool
) -> list[tuple[str, str]]:
    """(text, label) of each row of a table. A column is given by its name in the header or its number, counting from 1.
    Raises DataError for a missing column, for rows without a text or a label, and as read_table does."""
    wanted = (text_column, label_column)
    table = read_table(path, key, separator=separator, header=header, wanted=wanted)
    if not table.rows:
        raise DataError(f"{table.setting} has a header and no rows", "give at least ten rows of each label")
    text, label = _places(table, {"text": text_column, "label": label_column})
    if table.header is not None and table.header[label] != label_column:  # by number: is line 1 a header at all?
        found = {row[label].strip() for _, row in table.rows}
        if table.header[label] in found:
            raise _no_header(table, text, label)
    places = {"text": text, "label": label}
    lacking = {what: [n for n, row in table.rows if not row[place].strip()] for what, place in places.items()}
    if any(lacking.values()):
        raise DataError(
            f"{table.setting}: "
            + "; ".join(f"{len(n):,} without a {what} ({first_places('line', n)})" for what, n in lacking.items() if n),
            f"give every row both, or remove those rows ({len(table.rows):,} rows in all)",
        )
    return [(row[text], row[label].strip()) for _, row in table.rows]


def _places(table: Table, wanted: Mapping[str, str]) -> list[int]:
    """The indices of the columns. wanted: their names, by what they contain."""
    found = {what: _place(table, f"task.{what}_column", name) for what, name in wanted.items()}
    places = [place for place in found.values() if place is not None]
    if len(places) == len(found):
        return places
    if (guess := _guess_columns(table)) is not None:
        raise _no_header(table, *guess)
    header = table.header or ()
    if table.width == 1:
        raise DataError(
            f"{table.setting} has one column: no separator was found in its first line",
            "name the separator: task.separator=tab, or any other character",
            f"line 1: {header[0][:100]}",
        )
    others = [name for place, name in enumerate(header) if place not in places and name]
    meant: dict[str, str | None] = {}
    for what in [what for what, place in found.items() if place is None]:
        meant[what] = likely_name(wanted[what], [name for name in others if name not in meant.values()])
    left = [name for name in others if name not in meant.values()]
    if len(left) == 1 and len(others) == len(meant):  # all but one column are known, and so is that one
        meant = {what: name or left[0] for what, name in meant.items()}
    words = [shlex.quote(f"task.{what}_column={name or 'NAME'}") for what, name in meant.items()]
    raise DataError(
        f"{table.setting} has {' and '.join(f'no column {wanted[what]!r}' for what in meant)}",
        f"try {' '.join(words)}{'' if all(meant.values()) else ', or the number of a column'}",
        f"columns: {', '.join(header)[:200]}",
    )


def _place(table: Table, key: str, name: str) -> int | None:
    """The index of a column, or None; a name takes precedence over a number."""
    header = table.header or ()
    if header.count(name) > 1:
        raise DataError(
            f"{table.setting} has {header.count(name)} columns called {name!r}", f"use its number instead: {key}=1"
        )
    if name in header:
        return header.index(name)
    if name.isdecimal() and 1 <= int(name) <= table.width:
        return int(name) - 1
    if table.header is None:
        raise DataError(
            f"{table.setting} is read without a header, and {key}={name} is not the number of a column",
            "without a header, columns are numbered: task.text_column=1 task.label_column=2",
            f"line {table.rows[0][0]} has {table.width} fields",
        )
    return None


def _guess_columns(table: Table) -> tuple[int, int] | None:
    """(text, label) columns of a table whose first line seems to be a row like the others: one of its values, the
    label, occurs again below."""
    assert table.header is not None
    columns = list(zip(*(row for _, row in table.rows), strict=True))
    again = [
        (len(set(cells)), place)
        for place, (title, cells) in enumerate(zip(table.header, columns, strict=True))
        if title in {cell.strip() for cell in cells} and len(set(cells)) <= len(cells) / 2
    ]
    if not again or table.width < 2:
        return None
    label = min(again)[1]
    text = max((p for p in range(table.width) if p != label), key=lambda p: sum(map(len, columns[p])))
    return text, label


def _no_header(table: Table, text: int, label: int) -> DataError:
    assert table.header is not None
    return DataError(
        f"{table.setting} has no header: its first line is like the others, with the label {table.header[label]!r}",
        f"try task.header=false task.text_column={text + 1} task.label_column={label + 1}",
    )


def _as_number(label: str) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels in a natural order: by value if all are numbers, else by code points."""
    labels = sorted(labels)
    numbers = {label: _as_number(label) for label in labels}
    if any(number is None or number != number for number in numbers.values()):
        return labels
    return sorted(labels, key=lambda label: (numbers[label] or 0.0, label))


def check_labels(counts: Mapping[str, int], corpus: str, label_column: str) -> None:
    """Raise DataError if these labels, with the number of rows of each, cannot be classes."""
    remedy = f"is task.label_column={label_column} the right column?"
    what = f"task.corpus={corpus}"
    if len(counts) < 2:
        raise DataError(f"{what} has only {len(counts)} label; classification needs at least two", remedy)
    by_number: dict[float, list[str]] = {}
    for label in counts:
        if (number := _as_number(label)) is not None:
            by_number.setdefault(number, []).append(label)
    same = next((labels for labels in by_number.values() if len(labels) > 1), None)
    if same is not None:
        shown = " and ".join(f"'{label}' ({counts[label]:,} rows)" for label in sorted(same))
        raise DataError(f"{what}: the labels {shown} are one number, written in two ways", "write it in the same way")
    if len(by_number) == len(counts) > _MOST_NUMBERS:
        raise DataError(
            f"{what}: its {len(counts):,} labels are all numbers: they look like measurements, not classes",
            f"{remedy} To turn numbers into classes, divide them into a few ranges",
        )
    rows = sum(counts.values())
    if len(counts) > rows / 2 and rows > 2 * FEWEST_ROWS:  # for a tiny table, splitting gives a better message
        raise DataError(f"{what}: {len(counts):,} different labels in {rows:,} rows: most occur once", remedy)


def label_warnings(counts: Mapping[str, int]) -> list[str]:
    """Reasons to doubt figures on these labels, each with the remedy."""
    found: list[str] = []
    if missing := [label for label in counts if label.lower() in ("nan", "<na>")]:
        found.append(
            f"{counts[missing[0]]:,} rows have the label {missing[0]!r}, which pandas writes for a missing value: "
            "remove them if they have no label"
        )
    rare = [label for label in in_order(counts) if counts[label] < FEWEST_ROWS]
    if rare:
        shown = ", ".join(f"{quoted([label])} ({counts[label]})" for label in rare[:10])
        found.append(
            f"{len(rare)} of {len(counts)} labels have fewer than {FEWEST_ROWS} rows: {shown}"
            f"{' and more' if len(rare) > 10 else ''}: every split needs some of each label, so correct misspelt "
            "labels, merge rare ones into others, or remove their rows"
        )
    return found


def label_counts(counts: Mapping[str, int]) -> str:
    """`neg 4,265, pos 4,265`: the first twenty."""
    labels = in_order(counts)
    shown = ", ".join(f"{label} {counts[label]:,}" for label in labels[:20])
    return shown + (f" and {len(labels) - 20} more" if len(labels) > 20 else "")
