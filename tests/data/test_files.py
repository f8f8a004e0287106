"""A user's own files: invalid ones are refused with the reason, valid ones are read completely."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.config.compose import settings as settings_of
from seqlab.data import files
from seqlab.data.labels import read_labelled
from seqlab.data.pairs import read_pairs
from seqlab.data.text import read_text
from seqlab.errors import DataError
from tests.conftest import CORPUS_TASKS, tiny_config

# right to left, combining marks, a family of four joined by invisible characters, a flag, beyond the first plane
_WORLD = "שלום עולם, مرحبا بالعالم! नमस्ते e\u0301a 👨‍👩‍👧‍👦 🇳🇴 𝔘𝔫𝔦 日本語\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b" \r\n\t\n", "is empty"),
        (b"abc\0def", r"not text: it has a NUL byte at offset 3"),
        ("naïve".encode("latin-1"), r"not UTF-8: byte 0xef at offset 2"),
        ("text".encode("utf-16")[:-1], r"not UTF-16: byte 0x74 at offset 8"),
        ("text".encode("utf-16-le"), r"NUL byte at offset 1"),
    ],
)
def test_a_file_that_is_not_text_is_refused_with_the_position(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as refused:
        read_text(path, "task.corpus")
    if b"t\0e" in content:
        assert "-f UTF-16" in refused.value.hint


def test_a_path_that_is_not_a_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10 * 10**9)
    for name, said in (
        ("pipe", "not a regular file"),
        ("sparse", "is larger than 1,074 MB"),
        (".", "is a folder"),
        ("nothing", "no such file"),
        ("x" * 5000, "no such file"),
    ):
        with pytest.raises(DataError, match=said):
            read_text(tmp_path / name, "task.corpus")
    with pytest.raises(DataError, match="not a regular file"):
        read_text(Path("/dev/zero"), "task.corpus")


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_the_error_of_a_missing_file_names_the_expected_format(task: str, tmp_path: Path) -> None:
    forms = set()
    for where in (str(tmp_path / "missing"), "missing"):
        with pytest.raises(DataError, match=r"no such file|neither a corpus nor a file") as refused:
            tiny_config("rnn", task, f"task.corpus={where}").task.build()
        forms.add(refused.value.hint)
    assert len(forms) == 1
    named = settings_of([f"task={task}"])["task.corpus"]
    with pytest.raises(DataError, match="neither a corpus nor a file") as refused:
        tiny_config("rnn", task, f"task.corpus={named[:-1].upper()}").task.build()
    assert refused.value.hint == f"did you mean task.corpus={named}?"
    assert forms.pop().removeprefix("give ") in refused.value.allowed


def test_a_small_gzip_that_holds_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 5_000_000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"a" * 30_000_000))
    (tmp_path / "fits.gz").write_bytes(gzip.compress(b"a" * 5_000_000))
    with pytest.raises(DataError, match="is larger than 5 MB"):
        read_text(tmp_path / "bomb.gz", "task.corpus")
    assert len(read_text(tmp_path / "fits.gz", "task.corpus")) == 5_000_000


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_marks_make_no_difference(tmp_path: Path, ends: str, mark: bytes) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(mark + _WORLD.replace("\n", ends).encode() * 3)
    assert read_text(path, "task.corpus") == _WORLD * 3


@pytest.mark.parametrize("task", ["char_lm", "translation"])
def test_every_script_is_read_written_and_told_apart_whole(tmp_path: Path, task: str) -> None:
    path = tmp_path / "corpus.tsv"
    line = _WORLD.strip()
    text = _WORLD * 40 if task == "char_lm" else "".join(f"{line} {n}\t{n} {line}\n" for n in range(60))
    path.write_text(text, encoding="utf-8")
    made: Any = tiny_config("lstm", task, f"task.corpus={path}").task.build()
    vocabulary = made.token_vocabulary if task == "char_lm" else made.text_to_text.sources
    assert "".join(vocabulary.decode(vocabulary.encode(line))) == line
    if task == "translation":
        source, target = made.pairs["train"][0]
        assert source.removeprefix(line).strip() == target.removesuffix(line).strip()
    else:
        assert made.texts["train"] + made.texts["validation"] + made.texts["test"] == text


def test_too_long_items_are_cut_or_dropped_and_counted(tmp_path: Path) -> None:
    rows = "".join(f"{'word ' * (n + 1)},{'yes' if n % 2 else 'no'}\n" for n in range(40))
    (tmp_path / "a.csv").write_text(f"text,label\n{rows}{'long ' * 60_000},yes\n")
    sentiment: Any = tiny_config("lstm", "sentiment", f"task.corpus={tmp_path / 'a.csv'}", "task.max_length=10")
    facts = sentiment.task.build().describe()
    assert facts["texts cut at 10 words"] == 31
    (tmp_path / "a.tsv").write_text("".join(f"{'a' * n}\t{'b' * n}\n" for n in range(1, 61)))
    translation: Any = tiny_config("lstm", "translation", f"task.corpus={tmp_path / 'a.tsv'}", "task.max_length=41")
    facts = translation.task.build().describe()
    left_out, cut = (facts[f"{which} at 41 characters"] for which in ("training pairs left out", "other pairs cut"))
    assert left_out + cut == 20
    assert facts["train pairs"] + facts["validation pairs"] + facts["test pairs"] + left_out == 60


_lines = st.lists(st.lists(st.text(max_size=6), max_size=4).map(",".join), max_size=8).map("\n".join)
_bytes = st.binary(max_size=80) | st.text(max_size=40).map(str.encode) | _lines.map(str.encode)


def _labelled(path: Path) -> object:
    return read_labelled(path, "task.corpus", "text", "label", separator=None, header=True)


def _pairs(path: Path) -> object:
    return read_pairs(str(path), "task.corpus")


def _text(path: Path) -> object:
    return read_text(path, "task.corpus")


@settings(max_examples=60, deadline=None)
@given(content=_bytes, header=st.booleans(), suffix=st.sampled_from([".csv", ".tsv", ".txt", ".gz"]))
@pytest.mark.parametrize("read", [_text, _labelled, _pairs])
def test_any_bytes_are_read_or_refused(
    read: Callable[[Path], object], content: bytes, header: bool, suffix: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"corpus{suffix}"
        path.write_bytes((b"text,label\n" if header else b"") + content)
        said: list[str] = []
        try:
            read(path)
        except DataError as error:
            said = error.lines()
    assert len(said) <= 3
    assert all(line.replace("\u200d", "").replace("\u200c", "").isprintable() for line in said)
