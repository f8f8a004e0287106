"""A prepared corpus is the corpus, whatever the pieces, and after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.config.run import load_run_config
from seqlab.data import preparing
from seqlab.data.learned_subwords import learned
from seqlab.data.pieces import TextFile, pieces_of
from seqlab.data.prepared import Prepared, PreparedBy
from seqlab.data.preparing import prepare
from seqlab.data.text import read_text
from seqlab.data.tokens import TOKENS
from seqlab.errors import ConfigError, DataError
from seqlab.runs.train import train
from seqlab.tasks.char_lm import CharLM
from tests.conftest import tiny_overrides

TEXT = "".join(f"Line {n}: the é\u0301 \u6f22 word{n % 7} and  more\r\n" + "\n" * (n % 3) for n in range(300)) + "end"


def by_tokens(tokens: str = "char", **changes: object) -> PreparedBy:
    size = 300 if tokens in ("bpe", "unigram") else None
    values = {
        "tokens": tokens,
        "vocabulary_size": size,
        "normalize": "none",
        "train_share": 0.8,
        "validation_share": 0.1,
    }
    return PreparedBy(**{**values, **changes})  # type: ignore[arg-type]


@settings(deadline=None, max_examples=60)
@given(
    text=st.text(st.sampled_from("ab \r\n\u6f22\u00e9\U0001f642"), min_size=1),
    size=st.integers(1, 30),
    mark=st.booleans(),
)
def test_pieces_are_the_text(text: str, size: int, mark: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("pieces") / "text.txt"
    path.write_bytes(b"\xef\xbb\xbf" * mark + text.encode())
    pieces, length, old = pieces_of(path, size)
    file = TextFile(path, "none", old)
    found = "".join(map(file.read, pieces))
    if text.strip():
        assert found == read_text(path, "x")
    assert len(found.encode()) == length


@pytest.mark.parametrize("tokens", TOKENS)
def test_a_prepared_corpus_is_the_corpus(tokens: str, tmp_path: Path) -> None:
    source, folder = tmp_path / "text.txt", tmp_path / "prepared"
    source.write_bytes(TEXT.encode())
    by = by_tokens(tokens, normalize="nfc" if tokens == "char" else "none")
    prepared = prepare(str(source), folder, by, piece=900)
    overrides = tiny_overrides("gru", "char_lm", *by.overrides().split(), "device=cpu")
    made = [load_run_config([*overrides, f"task.corpus={where}"]) for where in (source, folder)]
    plain, mapped = (config.task.build() for config in made)
    assert isinstance(plain, CharLM)
    assert isinstance(mapped, CharLM)
    assert list(mapped.vocabulary()) == list(plain.vocabulary())
    for split in plain.ids:
        assert mapped.ids[split].tolist() == plain.ids[split].tolist()
        assert mapped.text_size(split) == plain.text_size(split)
        assert mapped.unknown_in(split) == plain.unknown_in(split)
    assert (mapped.data_sha256, mapped.heldout_sha256()) == (plain.data_sha256, plain.heldout_sha256())
    assert {**mapped.describe(), "corpus": ""} == {**plain.describe(), "corpus": ""}
    for length in range(1, 40):
        assert mapped.example_text(length)
        assert length < 9 or "\ufffd" not in mapped.example_text(length)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["prepared.json", "train.ids", "validation.ids", "test.ids", prepared.facts["vocabulary_file"]]
    )
    if tokens == "bpe":
        results = [
            train(load_run_config([*overrides, f"task.corpus={w}", f"runs_dir={tmp_path / w.name}r"]))
            for w in (source, folder)
        ]
        assert results[0].test == results[1].test
        for batch, other in zip(plain.batches("train", 3), mapped.batches("train", 3), strict=True):
            assert torch.equal(batch.inputs_BT, other.inputs_BT)
    assert prepared.condition() == "ok"
    (folder / "test.ids").write_bytes(bytes(len((folder / "test.ids").read_bytes())))
    assert prepared.condition() == "damaged"


def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    source, whole, killed = tmp_path / "text.txt", tmp_path / "whole", tmp_path / "killed"
    source.write_bytes(TEXT.encode() * 20)
    prepare(str(source), whole, by_tokens("bpe"), piece=2000)
    code = (
        "import sys, time, pathlib; from seqlab.data import preparing; from seqlab.data.prepared import PreparedBy\n"
        "write = preparing.write_json\n"
        "preparing.write_json = lambda *a: (write(*a), time.sleep(0.02))\n"
        "by = PreparedBy.of('bpe', 300, 'none', 0.8, 0.1)\n"
        "preparing.prepare(sys.argv[1], pathlib.Path(sys.argv[2]), by, piece=2000)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(source), str(killed)])
    while process.poll() is None and len(list((killed / "parts").glob("*.json"))) < 5:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = {path.name: path.stat().st_mtime_ns for path in (killed / "parts").glob("[a-z]*")}
    assert len(done) >= 8
    with pytest.raises(ConfigError, match="was begun with other settings"):
        prepare(str(source), killed, by_tokens("char"), piece=2000)
    seen: list[str] = []
    encode = preparing._assembled

    def watched(folder: Path, *others: object) -> dict[str, object]:
        seen.extend(
            n for n, at in done.items() if n.endswith("json") and (folder / "parts" / n).stat().st_mtime_ns == at
        )
        return encode(folder, *others)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "_assembled", watched)
        prepare(str(source), killed, by_tokens("bpe"), piece=2000)
    assert len(seen) >= 4  # what was done was not done again
    for path in whole.iterdir():
        assert (killed / path.name).read_bytes() == path.read_bytes(), path.name


def test_what_is_no_text_and_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    source, folder = tmp_path / "text.txt", tmp_path / "prepared"
    for content, said in (
        (b"abc \xff" * 9, "is not UTF-8: byte 0xff at offset 4"),
        (b"ab\0c" * 9, "NUL byte at offset 2"),
        (b"", "is empty"),
        (b" \r\n" * 99, "is empty"),
    ):
        source.write_bytes(content)
        with pytest.raises(DataError, match=said) as refused:
            prepare(str(source), folder, by_tokens())
        assert not folder.exists()
        assert (b"\xff" in content) == ("iconv -f WINDOWS-1252 -t UTF-8 < " in refused.value.hint)
    source.write_bytes(TEXT.encode())
    prepare(str(source), folder, by_tokens("word"))
    with pytest.raises(ConfigError, match="has a prepared corpus already"):
        prepare(str(source), folder, by_tokens())
    with pytest.raises(ConfigError, match=r"was prepared with task.tokens=word, not char") as raised:
        load_run_config([f"task.corpus={folder}"]).task.build()
    assert "task.tokens=word" in raised.value.hint
    (folder / "train.ids").write_bytes(b"1")
    with pytest.raises(DataError, match="has not the size"):
        Prepared.read(str(folder))


def test_another_tokenizer_than_that_of_the_preparation_is_refused(tmp_path: Path) -> None:
    source, folder = tmp_path / "text.txt", tmp_path / "prepared"
    files = [tmp_path / name for name in ("mine.json", "copy.json", "other.json")]
    for file, words in zip(files, (TEXT, TEXT, TEXT.upper()), strict=True):
        file.write_text(learned("bpe", [words], 300).text, encoding="utf-8")
    source.write_bytes(TEXT.encode())
    by = prepare(str(source), folder, by_tokens(str(files[0])), piece=900)
    for file in files[:2]:
        by.check(by_tokens(str(file)), "task.corpus")
    with pytest.raises(ConfigError, match=r"mine\.json, not .*other\.json"):
        by.check(by_tokens(str(files[2])), "task.corpus")
    files[0].unlink()  # the folder keeps it
    by.check(by_tokens(str(files[0])), "task.corpus")
