"""Line-aligned files stay aligned, whatever their lines contain."""

from __future__ import annotations

import csv
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.data.pairs import ReadPairs, read_pairs
from seqlab.errors import DataError
from tests.conftest import tiny_config

_WORDS = st.lists(
    st.sampled_from(["a", "b\rc", "d\u2028e", "f\x85g", "h\x0bi", "j\x0ck", "\r"]), min_size=1, max_size=4
)


@given(lines=st.lists(st.tuples(_WORDS, _WORDS), min_size=2, max_size=12), last=st.booleans())
def test_unusual_line_separators_do_not_shift_lines(lines: list[tuple[list[str], list[str]]], last: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for side, name in enumerate(("a.en", "a.fr")):
            text = "".join(f"{n} {' '.join(pair[side])}\n" for n, pair in enumerate(lines))
            whole = last or name == "a.fr"  # the last line of a file may lack its end
            (Path(folder) / name).write_bytes((text if whole else text.removesuffix("\n")).encode())
        pairs = read_pairs(f"{folder}/a.en,{folder}/a.fr", "k").pairs
    assert [(a.split()[0], b.split()[0]) for a, b in pairs] == [(str(n), str(n)) for n in range(len(lines))]


def test_two_files_of_unequal_length_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_bytes(b"one\ntwo\rtoo\nthree\n")
    (tmp_path / "b.fr").write_bytes(b"un\ndeux")
    with pytest.raises(DataError, match=r"3 lines in a\.en, 2 in b\.fr"):
        read_pairs(f"{tmp_path}/a.en,{tmp_path}/b.fr", "k")


def test_rows_without_a_translation_are_named_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("one\tun\n\ntwo\t\nthree\n\tquatre\nfive\tcinq\n")
    with pytest.raises(DataError, match="3 of 5 rows have no translation, or no source: lines 3, 4, 5"):
        read_pairs(str(tmp_path / "a.tsv"), "k")


@pytest.mark.parametrize("quotes_all", [False, True])
def test_quotes_that_a_program_put_around_a_side_are_taken_off(tmp_path: Path, quotes_all: bool) -> None:
    pairs = [('He said "no"', "Il a dit « non »"), ("Yes, yes", 'Oui, "oui"'), ('"Stop"', '"Arr\u00eate"')]
    with (tmp_path / "a.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL)
        writer.writerows(pairs)
    assert read_pairs(str(tmp_path / "a.tsv"), "k").pairs == pairs


def test_quotes_of_the_text_stay_whatever_follows_the_translation(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('"Stop," he said.\t"Halte", dit-il.\tCC-BY\n"Yes"\t"Oui"\nNo\tNon\n')
    expected = [('"Stop," he said.', '"Halte", dit-il.'), ('"Yes"', '"Oui"'), ("No", "Non")]
    assert read_pairs(str(tmp_path / "a.tsv"), "k").pairs == expected


def test_a_comma_may_belong_to_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a,b.tsv").write_text("one\tun\n")
    Path("x,y.en").write_text("two\n")
    Path("x.fr").write_text("deux\n")
    assert read_pairs("a,b.tsv", "k").pairs == [("one", "un")]
    assert read_pairs("x,y.en,x.fr", "k").pairs == read_pairs("x,y.en, x.fr", "k").pairs == [("two", "deux")]
    with pytest.raises(DataError, match="names 3 files"):
        read_pairs("a,b,c", "k")


@pytest.mark.parametrize("spelling", ["{} {}", "{};{}", "{} ; {}", "[{},{}]", "['{}', '{}']", "({} {})", "{}|{}"])
def test_two_files_in_another_spelling_are_told_how_to_write_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.en", "a b.fr"):
        Path(name).write_text("one\n")
    with pytest.raises(DataError, match="by a comma only") as refused:
        read_pairs(spelling.format("a.en", "a b.fr"), "k")
    assert refused.value.hint == "try 'k=a.en,a b.fr'"
    with pytest.raises(DataError) as refused:
        read_pairs(spelling.format("a.en", "b.fr"), "k")
    assert "try" not in refused.value.hint


def _read(path: Path, *lines: str) -> ReadPairs:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return read_pairs(str(path), "task.corpus")


def test_ignored_columns_are_counted_and_an_id_column_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "my pairs.tsv"
    attributed = _read(path, "one\tun\tCC-BY\tx", "two\tdeux", "3\ttrois\t")
    assert attributed.facts == {"ignored columns of task.corpus": "2 of 4"}
    assert attributed.warnings == ()
    assert _read(path, "1\tone", "2\ttwo\t") == ReadPairs([("1", "one"), ("2", "two")])
    assert _read(path, "1\tone\tun").warnings == ()  # a single line says little
    for lines, kept in (
        (["1000\tone\tun", "1001\ttwo\tdeux"], "2,3"),
        (["1\tone\t7\tun", "2\ttwo\t9\tdeux"], "2,4"),
    ):
        found = _read(path, *lines)
        assert found.pairs[0][1] == "one"
        (said,) = found.warnings
        assert "is a number" in said
        command = said.partition("An id? ")[2]
        assert f"cut -f{kept}" in command
        subprocess.run(command, shell=True, check=True, cwd=tmp_path)
        assert read_pairs(str(tmp_path / "my pairs.pairs.tsv"), "k") == ReadPairs([("one", "un"), ("two", "deux")])


@pytest.mark.parametrize(
    "header", ["source\ttarget", "English\tFrench", "en\tFR", '"src"\t"tgt"', "id\tsource\ttarget"]
)
def test_a_header_read_as_a_pair_is_reported(tmp_path: Path, header: str) -> None:
    three = header.startswith("id")
    rows = [f"{n}\tone {n}\tun {n}" if three else f"one {n}\tun {n}" for n in range(3)]
    if header.startswith('"'):
        rows = ["\t".join(f'"{cell}"' for cell in row.split("\t")) for row in rows]
    found = _read(tmp_path / "a.tsv", header, *rows)
    assert len(found.warnings) == 1 + three
    command = found.warnings[0].partition("A header? ")[2]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert read_pairs(str(tmp_path / "a.pairs.tsv"), "k").pairs == found.pairs[1:]


@pytest.mark.parametrize("first", ["no\tno", "source\tsource", "english\tanglais", "the source\tla source", "go\tva"])
def test_a_pair_of_words_is_no_header(tmp_path: Path, first: str) -> None:
    assert _read(tmp_path / "a.tsv", first, "one\tun").warnings == ()


def test_a_run_reports_columns_and_headers(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("".join(f"{n}\tsource {n}\ttarget {n}\n" for n in range(40)))
    (tmp_path / "b.tsv").write_text("en\tfr\n" + "".join(f"{n} x\ttarget {n}\n" for n in range(9)))
    words = (f"task.corpus={tmp_path / 'a.tsv'}", f"task.test_corpus={tmp_path / 'b.tsv'}")
    task = tiny_config("rnn", "translation", *words).task.build()
    assert task.describe()["ignored columns of task.corpus"] == "1 of 3"
    said = " ".join(task.warnings())
    assert "each source of task.corpus=" in said
    assert "first line of task.test_corpus=" in said
