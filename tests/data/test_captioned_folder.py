"""A folder of pictures with captions.csv: splits without leakage, and errors that name the line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqlab.core.batch import Split
from seqlab.data.captioned import CaptionedImages
from seqlab.data.captioned_folder import read_captioned
from seqlab.errors import DataError

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Writes ten pictures, p0.png to p9.png, and a table."""

    def written(*rows: str, header: str = "file,caption") -> Path:
        for n in range(10):
            pixels_HW = np.full((8, 8), 20 * n, dtype=np.uint8)
            Image.fromarray(pixels_HW).save(tmp_path / f"p{n}.png")
        (tmp_path / "captions.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return tmp_path

    return written


def _read(folder: Path, held_share: float = 0.2) -> tuple[dict[Split, CaptionedImages], dict[str, str]]:
    return read_captioned(folder, 8, colour=False, held_share=held_share, seed=0)


def _shades(part: CaptionedImages) -> list[tuple[int, str]]:
    """(which of the ten pictures, caption) of each item."""
    shades = part.image_NCHW[:, 0, 0, 0] // 20
    return [(int(shades[image]), text) for image, text in zip(part.image_of, part.captions, strict=True)]


def test_an_image_with_several_captions_stands_in_one_split(folder: Folder) -> None:
    """With all of them in training, with the first in the others; a copy under another name is the same image."""
    here = folder(*(f"p{n}.png,{word} {n}" for n in range(10) for word in ("number", "shade")), "copy.png,copied 3")
    (here / "copy.png").write_bytes((here / "p3.png").read_bytes())
    parts, facts = _read(here)
    pictures = {split: [shade for shade, _ in _shades(part)] for split, part in parts.items()}
    assert sorted(set(pictures["train"]) | set(pictures["validation"]) | set(pictures["test"])) == list(range(10))
    assert {split: len(set(found)) for split, found in pictures.items()} == {"train": 6, "validation": 2, "test": 2}
    assert sum(len(set(found)) for found in pictures.values()) == 10
    for split, part in parts.items():
        for shade in set(pictures[split]):
            texts = [text for found, text in _shades(part) if found == shade]
            every = [f"number {shade}", f"shade {shade}", *["copied 3"] * (shade == 3)]
            assert texts == (every if split == "train" else every[:1])
    assert facts["images with several captions"] == "10"
    assert facts["pictures with the pixels of another"] == "1"


def test_the_table_may_name_the_splits(folder: Folder) -> None:
    names = ["train"] * 7 + ["validation", "test", "test"]
    here = folder(*(f"p{n}.png,number {n},{split}" for n, split in enumerate(names)), header="file,caption,split")
    parts, _ = _read(here)
    assert {split: _shades(part) for split, part in parts.items()} == {
        split: [(n, f"number {n}") for n in range(10) if names[n] == split] for split in parts
    }


GOOD = tuple(f"p{n}.png,number {n}" for n in range(10))
SPLIT = "file,caption,split"


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        ((*GOOD, "q.png,a cat"), "file,caption", r"1 without a file in the folder \(line 12\)"),
        ((*GOOD, "../p1.png,a cat"), "file,caption", r"1 without a file in the folder \(line 12\)"),
        ((*GOOD, "/etc/hostname,a cat"), "file,caption", r"1 without a file in the folder \(line 12\)"),
        ((*GOOD, "p1.png,"), "file,caption", r"1 without a caption \(line 12\)"),
        ((*GOOD, ",a cat"), "file,caption", r"1 without a file \(line 12\)"),
        ((*GOOD, "p1.png,number 1"), "file,caption", "line 12 is line 3 again: p1.png"),
        ((*GOOD, "captions.csv,a table"), "file,caption", "line 12: captions.csv is neither a PNG nor a JPEG"),
        (GOOD[:1], "file,caption", "1 image leaves none for the"),
        ((), "file,caption", "has a header and no rows"),
        (GOOD, "image,caption", "has no column 'file'"),
        ((*GOOD, "p1.png,one,two"), "file,caption", "line 12: 3 fields where line 1 has 2"),
        (("p1.png,a,train", "p2.png,b,dev"), SPLIT, "line 3: the split 'dev' is not one of train, validation, test"),
        (("p1.png,a,train", "p1.png,b,test"), SPLIT, "line 3: p1.png is for test, in line 2 for train"),
        (("p1.png,a,train", "p2.png,b,test"), SPLIT, "2 images leave none for the validation split"),
        (("p1.png,a,train", "p2.png,b,"), SPLIT, "line 3: the split '' is not one of"),
    ],
)
def test_rows_that_cannot_be_used_are_named(rows: tuple[str, ...], header: str, said: str, folder: Folder) -> None:
    with pytest.raises(DataError, match=said) as refused:
        _read(folder(*rows, header=header))
    assert 2 <= len(refused.value.lines()) <= 3
    assert "separator" not in str(refused.value)  # there is no such setting


def test_a_folder_must_be_there_with_its_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder"):
        _read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"has no captions\.csv"):
        _read(tmp_path)
