"""What the corpora that are downloaded hold, as far as small files of the same form can tell."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from pathlib import Path

import pytest

from seqlab.data.corpora import find
from seqlab.errors import DataError
from tests.recordings import RATE, tone, write_wav


def test_shakespeare_is_split_as_in_nanogpt(tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("abcdefghij" * 10 + "xyz", encoding="utf-8")
    parts = find("shakespeare").tasks["char_lm"]([tmp_path / "input.txt"])
    assert (len(parts["train"]), parts["validation"]) == (92, "cdefghijxyz")
    assert parts["test"] == parts["validation"]


def test_mr_reads_both_encodings(tmp_path: Path) -> None:
    paths = [tmp_path / "rt-polarity.pos", tmp_path / "rt-polarity.neg"]
    for encoding in ("cp1252", "utf-8"):
        paths[0].write_bytes("caf\xe9 \u2014 good \nfine\u2026 film\n".encode(encoding))
        paths[1].write_bytes(b"dull\n")
        rows = find("mr").tasks["sentiment"](paths)["train"]
        expected = [("caf\xe9 \u2014 good", "positive"), ("fine\u2026 film", "positive"), ("dull", "negative")]
        assert rows == expected


def test_multi30k_has_the_published_splits(tmp_path: Path) -> None:
    corpus = find("multi30k_de_en")
    names = [file.name for file in corpus.known]  # type: ignore[attr-defined]
    assert names == [f"{part}.{code}.gz" for part in ("train", "val", "test_2016_flickr") for code in ("de", "en")]
    for name in names:
        part, code, _ = name.split(".")
        (tmp_path / name).write_bytes(gzip.compress(f"{code} of  {part}\n{code} again\n".encode()))
    parts = corpus.tasks["translation"]([tmp_path / name for name in names], "fr", 1, 1)
    assert parts["train"] == [("de of train", "en of train"), ("de again", "en again")]
    assert parts["test"][0] == ("de of test_2016_flickr", "en of test_2016_flickr")
    assert [*parts] == ["train", "validation", "test"]
    assert corpus.target == "en"


@pytest.mark.parametrize(("name", "end"), [("text8", b"z"), ("enwik8", b"\xe9")])
def test_large_texts_are_split_by_millions(name: str, end: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"a" * 90_000_000 + b"b" * 5_000_000 + b"c" * 4_999_999 + end)
    parts = find(name).tasks["char_lm"]([tmp_path / name])
    assert [*map(len, parts.values())] == [90_000_000, 5_000_000, 5_000_000]
    assert [part[0] for part in parts.values()] == ["a", "b", "c"]
    assert parts["test"][-1] == end.decode("latin-1")


def test_the_characters_of_ptb_are_joined(tmp_path: Path) -> None:
    paths = [tmp_path / part for part in ("train", "valid", "test")]
    for path in paths:
        path.write_text(" a e r _ < u n k > _ N\n n o _ i t\n")
    parts = find("ptb_char").tasks["char_lm"](paths)
    assert parts == dict.fromkeys(("train", "validation", "test"), "aer <unk> N\nno it\n")


def test_sst2_tests_on_the_development_part(tmp_path: Path) -> None:
    for part in ("train", "dev"):
        (tmp_path / part).write_text(f'sentence\tlabel\na "{part} \t1\nb \t0\n')
    parts = find("sst2").tasks["sentiment"]([tmp_path / "train", tmp_path / "dev"])
    assert parts["train"] == [('a "train', "positive"), ("b", "negative")]
    assert parts["test"] == parts["validation"] == [('a "dev', "positive"), ("b", "negative")]


def _tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_imdb_is_read_from_its_archive(tmp_path: Path) -> None:
    names = ("test/neg/0_2", "train/pos/1_9", "train/neg/0_3", "train/unsup/0_0", "train/pos/../1_1")
    files = {f"aclImdb/{name}.txt": f"{name}<br /><br />said \xe9".encode() for name in names}
    path = _tar(tmp_path / "aclImdb_v1.tar.gz", files)
    parts = find("imdb").tasks["sentiment"]([path])
    assert parts["train"] == [("train/neg/0_3 said \xe9", "negative"), ("train/pos/1_9 said \xe9", "positive")]
    assert parts["test"] == [("test/neg/0_2 said \xe9", "negative")]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="cannot be read"):
        find("imdb").tasks["sentiment"]([path])


def test_spoken_digits_are_split_by_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read in the archive: no disk has to have room for them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    sound = write_wav(tmp_path / "tone.wav", tone(400.0, 0.1)).read_bytes()
    names = ("recordings/7_theo_4", "recordings/0_lucas_9", "recordings/3_theo_49", "other/3_theo_1", "recordings/x")
    path = _tar(tmp_path / "a.tar.gz", {f"free-spoken-digit-dataset-1.0.10/{name}.wav": sound for name in names})
    found = find("free_spoken_digits").tasks["speech"]([path], 0)
    assert [reading[:3] for reading in found] == [
        ("7_theo_4.wav", "7", "test"), ("0_lucas_9.wav", "0", "validation"), ("3_theo_49.wav", "3", "train"),
    ]  # fmt: skip
    assert {reading[3].rate for reading in found} == {RATE}


def test_tatoeba_is_line_aligned(tmp_path: Path) -> None:
    corpus = find("tatoeba_fr_en")
    names = [file.name for file in corpus.known]  # type: ignore[attr-defined]
    assert names == ["Tatoeba.en-fr.fr", "Tatoeba.en-fr.en"]
    for name, text in zip(names, ("Salut\u2028 !\nOui.\n", "Hi!\nYes.\n"), strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    parts = corpus.tasks["translation"]([tmp_path / name for name in names], "fr", 1, 1)
    assert parts == {"train": [("Salut !", "Hi!"), ("Oui.", "Yes.")]}
    assert corpus.target == "en"
