"""Tables as people and programs write them: read correctly, or refused with the line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seqlab.data.tables import Table, read_table
from seqlab.errors import DataError

ROWS = [["good, but not very good", "yes"], ['she said "no", twice', "no"], ["two\nlines", "yes"], ["plain", "no"]]


def _read(path: Path, *, separator: str | None = None, header: bool = True) -> Table:
    return read_table(path, "task.corpus", separator=separator, header=header, wanted=("text", "label"))


def _cells(table: Table) -> list[list[str]]:
    return [cells for _, cells in table.rows]


def _written(rows: list[list[str]], separator: str, quoting: int = csv.QUOTE_MINIMAL) -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=separator, lineterminator="\n", quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_every_separator_is_found_whatever_the_file_is_called(
    tmp_path: Path, separator: str, quoting: int, name: str
) -> None:
    (tmp_path / name).write_text(_written([["text", "label"], *ROWS], separator, quoting))
    table = _read(tmp_path / name)
    assert table.header == ("text", "label")
    assert _cells(table) == ROWS


_CELL = st.text(st.sampled_from('ab,;|\t"\n é'), max_size=12).map(lambda cell: f"w{cell}")


@given(rows=st.lists(st.tuples(_CELL, st.sampled_from(["yes", "no"])), min_size=1, max_size=8), data=st.data())
def test_the_output_of_csv_writers_is_read_back(rows: list[tuple[str, str]], data: st.DataObject) -> None:
    separator = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    # between tabs, such a field's lines can look like rows of their own
    assume(separator != "\t" or not any("\t" in text and "\n" in text for text, _ in rows))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.txt"
        path.write_text(_written([["text", "label"], *map(list, rows)], separator), encoding="utf-8")
        assert _cells(_read(path)) == [list(row) for row in rows]


_PLAIN = st.text(st.sampled_from('ab," é'), max_size=12).map(lambda cell: f"w{cell}")


@given(rows=st.lists(_PLAIN, min_size=1, max_size=8))
def test_quotes_inside_a_text_between_tabs_stay(rows: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tsv"
        path.write_text("text\tlabel\n" + "".join(f"{text}\tyes\n" for text in rows), encoding="utf-8")
        assert _cells(_read(path)) == [[text, "yes"] for text in rows]


def test_a_text_that_begins_with_a_quote_is_no_quoted_field_unless_a_program_put_quotes(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('text\tlabel\n"Great" film\tyes\n"Awful."\tno\nso-so\tno\n')
    assert _cells(_read(tmp_path / "a.tsv")) == [['"Great" film', "yes"], ['"Awful."', "no"], ["so-so", "no"]]
    (tmp_path / "b.tsv").write_text('text\tlabel\n"""Great"" film"\tyes\nAwful.\tno\n')
    assert _cells(_read(tmp_path / "b.tsv")) == [['"Great" film', "yes"], ["Awful.", "no"]]
    (tmp_path / "c.tsv").write_text('text\tlabel\n"""Great"" film"\tyes\nfine\tno\n"Awful.\tno\n')
    with pytest.raises(DataError, match="line 4: a field's quote is not closed"):
        _read(tmp_path / "c.tsv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,label\ngood,yes\n\nwell, truly,yes\nbad,no\n", "line 4: 3 fields where line 1 has 2\n"),
        ("text,label\ngood,yes\none field\n,a,b\nbad,no\n", "line 3: 1 fields where .* 2; 2 of 5 lines differ"),
        ('text,label\n"two\nlines",yes\na,b,c\n', "line 4: 3 fields"),
        ('text,label\ngood,yes\n"bad,no\nfine,yes\n', "line 3: a field's quote is never closed"),
        ('text,label\ngood,yes\n"bad" film,no\n', "line 3: text follows the closing quote"),
        ('text,label\ngood,yes\n"bad,no\nfine,yes\n"so, so",no\n', "line 3: text follows the closing quote"),
        ("text\tlabel\ngood\tyes\nbad film\nfine\tno\n", "line 3: 1 fields where line 1 has 2"),
        ("\n\n , \n", "has no rows"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=said):
        _read(tmp_path / "a.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("closes", [3, 4, 12])
@pytest.mark.parametrize("columns", ["text label", "label text", "id text label", "label id text", "text id label"])
def test_a_quote_closed_in_a_later_row_swallows_none(tmp_path: Path, separator: str, closes: int, columns: str) -> None:
    """Texts of several lines are read."""

    def line(n: int, opening: str = "", closing: str = "") -> str:
        cells = {"id": f"{n}", "text": f"{opening}good film {n}{closing}", "label": ("neg", "pos")[n % 2]}
        return separator.join(cells[name] for name in columns.split())

    letter = f'"Dear Sir, \t or; Madam,\nit was{separator} fine, and\nI am; yours{separator} truly"'
    other = f'"Great film{separator} loved\nevery bit{separator} really"'
    true = [
        separator.join({"text": text, "label": "pos"}.get(c, "77") for c in columns.split()) for text in (letter, other)
    ]
    head = separator.join(columns.split())
    rows = [head, *(line(n) for n in range(20)), *true]
    (tmp_path / "b.txt").write_text("\n".join(rows) + "\n")
    place = columns.split().index("text")
    read = [cells[place] for cells in _cells(_read(tmp_path / "b.txt"))]
    assert read == [*(f"good film {n}" for n in range(20)), letter.strip('"'), other.strip('"')]
    rows[3], rows[closes + 1] = line(2, opening='"'), line(closes, closing='"')
    (tmp_path / "a.txt").write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError, match=f"line 4: the quote opened here closes in line {closes + 2},") as refused:
        _read(tmp_path / "a.txt")
    assert "good film 2" in refused.value.lines()[-1]


@pytest.mark.parametrize("text", ["Good, bad\nand, so, on", "One, two\nthree, four\nfive, six\nseven", "Yes, pos\nno"])
def test_a_text_of_several_lines_with_a_separator_in_some_is_read(tmp_path: Path, text: str) -> None:
    rows = [[text, "pos"], ["Fine", "neg"], ["Nice", "pos"]]
    (tmp_path / "a.csv").write_text(_written([["text", "label"], *rows], ","))
    assert _cells(_read(tmp_path / "a.csv")) == rows


def test_a_separator_of_ones_own_and_excels_first_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text~label\na,b;c~yes\n")
    assert _cells(_read(tmp_path / "a.txt", separator="~")) == [["a,b;c", "yes"]]
    (tmp_path / "b.csv").write_text("sep=;\ntext;label\nso, so;yes\n\n;\nbad\n")
    with pytest.raises(DataError, match="line 6: 1 fields where line 2 has 2"):
        _read(tmp_path / "b.csv")


def test_a_lone_carriage_return_ends_no_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'text,label\r\ngood\rfilm,yes\r\n"bad\rfilm",no\r\n')
    assert _cells(_read(tmp_path / "a.csv")) == [["good film", "yes"], ["bad film", "no"]]
    (tmp_path / "b.csv").write_bytes(b"text,label\rgood film,yes\rbad film,no\r")  # an old Macintosh
    assert _cells(_read(tmp_path / "b.csv")) == [["good film", "yes"], ["bad film", "no"]]


def test_a_table_without_a_header_keeps_its_first_row(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("so, so\t0\ngood\t1\n")
    table = _read(tmp_path / "a.txt", header=False)
    assert (table.header, table.width) == (None, 2)
    assert table.rows == [(1, ["so, so", "0"]), (2, ["good", "1"])]


def test_compressed_tables_are_read(tmp_path: Path) -> None:
    text = _written([["text", "label"], *ROWS], ",")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    for name, member in (("a.csv.zip", "a.csv"), ("b.zip", "deep/down/any.csv"), ("c.zip", "../../../up.csv")):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.mkdir("deep")
            archive.writestr("__MACOSX/._any.csv", b"\0\5\x16")
            archive.writestr(member, text)
    before = sorted(tmp_path.rglob("*"))
    for name in ("a.csv.gz", "a.csv.zip", "b.zip", "c.zip"):
        assert _cells(_read(tmp_path / name)) == ROWS
    assert sorted(tmp_path.rglob("*")) == before  # nothing was unpacked to anywhere
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("train.csv", text)
        archive.writestr("test.csv", text)
    with pytest.raises(DataError, match="contains 2 files") as refused:
        _read(tmp_path / "d.zip")
    assert refused.value.allowed == "in it: train.csv, test.csv"
    (tmp_path / "e.zip").write_bytes((tmp_path / "b.zip").read_bytes()[:-30])
    with pytest.raises(DataError, match="cannot be read"):
        _read(tmp_path / "e.zip")


def test_json_lines_are_rows_and_keys_columns(tmp_path: Path) -> None:
    found = [
        {"id": 7, "text": "good\n\u2028film", "label": 1, "tags": ["a"]},
        {"label": 1.0, "text": "bad"},
        {"text": "so so", "label": True},
        {"text": None, "label": "x"},
    ]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in found) + "\n\n"
    for name in ("a.jsonl", "a.ndjson", "a.JSONL.gz"):
        raw = lines.encode()
        (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
        table = _read(tmp_path / name)
        assert table.header == ("id", "text", "label", "tags")
        texts = [(n, row[1], row[2]) for n, row in table.rows]
        assert texts == [(1, "good\n\u2028film", "1"), (2, "bad", "1.0"), (3, "so so", "true"), (4, "", "x")]


@pytest.mark.parametrize(
    ("content", "said", "remedy"),
    [
        ('{"text": "a", "label": 1}\n{"text": "b", "label"\n', "line 2: not a JSON object", "JSON Lines has one"),
        ('[{"text": "a"},\n{"text": "b"}]\n', "line 1: not a JSON object", "jq -c"),
        ('{"text": "a"}\n\n"b"\n', "line 3: not a JSON object", "JSON Lines has one"),
        ('{"text": ["a"], "label": 1}\n', "line 1: text is a list", "a key that holds a text"),
        ('{"text": "a", "label": {"b": 1}}\n', "line 1: label is an object", "a key that holds a text"),
        ("[" * 100_000 + "\n", "line 1: not a JSON object", "JSON Lines has one"),
    ],
)
def test_invalid_json_lines_are_refused_with_the_line(tmp_path: Path, content: str, said: str, remedy: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(DataError, match=said) as refused:
        _read(tmp_path / "a.jsonl")
    assert re.search(remedy, " ".join(refused.value.lines()))
