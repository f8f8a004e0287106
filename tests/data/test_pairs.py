"""Line-aligned files stay aligned, whatever their lines hold."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.data.pairs import read_pairs
from seqlab.errors import DataError

_WORDS = st.lists(
    st.sampled_from(["a", "b\rc", "d\u2028e", "f\x85g", "h\x0bi", "j\x0ck", "\r"]), min_size=1, max_size=4
)


@given(lines=st.lists(st.tuples(_WORDS, _WORDS), min_size=2, max_size=12), last=st.booleans())
def test_what_looks_like_a_line_end_moves_no_line(lines: list[tuple[list[str], list[str]]], last: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for side, name in enumerate(("a.en", "a.fr")):
            text = "".join(f"{n} {' '.join(pair[side])}\n" for n, pair in enumerate(lines))
            whole = last or name == "a.fr"  # the last line of a file may lack its end
            (Path(folder) / name).write_bytes((text if whole else text.removesuffix("\n")).encode())
        pairs = read_pairs(f"{folder}/a.en,{folder}/a.fr", "k")
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
    assert read_pairs(str(tmp_path / "a.tsv"), "k") == pairs


def test_quotes_of_the_text_stay_whatever_follows_the_translation(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('"Stop," he said.\t"Halte", dit-il.\tCC-BY\n"Yes"\t"Oui"\nNo\tNon\n')
    expected = [('"Stop," he said.', '"Halte", dit-il.'), ('"Yes"', '"Oui"'), ("No", "Non")]
    assert read_pairs(str(tmp_path / "a.tsv"), "k") == expected


def test_a_comma_may_belong_to_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a,b.tsv").write_text("one\tun\n")
    Path("x,y.en").write_text("two\n")
    Path("x.fr").write_text("deux\n")
    assert read_pairs("a,b.tsv", "k") == [("one", "un")]
    assert read_pairs("x,y.en,x.fr", "k") == read_pairs("x,y.en, x.fr", "k") == [("two", "deux")]
    with pytest.raises(DataError, match="names 3 files"):
        read_pairs("a,b,c", "k")
