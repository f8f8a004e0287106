"""What the corpora that are downloaded hold, as far as small files of the same form can tell."""

from __future__ import annotations

import gzip
from pathlib import Path

from seqlab.data.corpora import find


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
