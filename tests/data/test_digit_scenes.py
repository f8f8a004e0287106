"""Scenes of handwritten digits: what is drawn, what is said of it, and what training never sees."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest

from seqlab.core.batch import Split
from seqlab.data.batching import split_items
from seqlab.data.captioned import CaptionedImages
from seqlab.data.digit_scenes import SIDE, digit_scenes, read_digits, relation

SIZES: dict[Split, int] = {"train": 400, "validation": 40, "test": 60}
NAMES = "zero one two three four five six seven eight nine".split()
WHERE = "left of|above and left of|above and right of|above"


@pytest.fixture(scope="module")
def scenes() -> tuple[dict[Split, CaptionedImages], CaptionedImages]:
    return digit_scenes(SIZES, 60, 0)


def _seen(scene_HW: np.ndarray, digit_of: dict[bytes, tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    """(y, x, image, digit) of each image of a digit that stands somewhere in a scene, pixel by pixel."""
    places = product(range(SIDE - 7), repeat=2)
    crops = ((y, x, (255 - scene_HW[y : y + 8, x : x + 8]).tobytes()) for y, x in places)
    return [(y, x, *digit_of[crop]) for y, x, crop in crops if crop in digit_of]


def _triples(caption: str) -> list[str]:
    """Each digit of a caption with the next one."""
    parts = re.split(f" ({WHERE}) ", caption)
    return [" ".join(parts[at : at + 3]) for at in range(0, len(parts) - 2, 2)]


def test_the_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    image_NHW, digit_N = read_digits()
    theirs = load_digits()
    assert digit_N == theirs.target.tolist()
    assert np.array_equal(image_NHW, np.round(theirs.images * 255 / 16))


@pytest.mark.parametrize(
    ("cell", "after", "said"),
    [
        ((0, 0), (0, 1), "left of"),
        ((0, 1), (1, 1), "above"),
        ((0, 0), (1, 1), "above and left of"),
        ((0, 1), (1, 0), "above and right of"),
    ],
)
def test_where_a_digit_stands(cell: tuple[int, int], after: tuple[int, int], said: str) -> None:
    assert relation(cell, after) == said


def test_a_caption_can_be_read_off_its_scene_and_no_image_is_in_two_splits(
    scenes: tuple[dict[Split, CaptionedImages], CaptionedImages],
) -> None:
    """Digits are found in the pixels; rows and columns are told apart by where they stand."""
    image_NHW, digit_N = read_digits()
    found = {ink.tobytes(): (at, digit_N[at]) for at, ink in enumerate(image_NHW)}
    used: dict[str, set[int]] = {}
    named: list[tuple[str, CaptionedImages]] = [*scenes[0].items(), ("apart", scenes[1])]
    for name, part in named:
        for image, caption in zip(part.image_of, part.captions, strict=True):
            seen = _seen(part.image_NCHW[image, 0], found)
            assert 1 <= len(seen) <= 4
            used.setdefault(name, set()).update(at for _, _, at, _ in seen)
            said, before = "", None
            for y, x, _, digit in sorted(seen, key=lambda one: (one[0] >= 12, one[1])):
                row, column = y >= 12, x >= 12
                if before is not None:
                    across = "left of" if before[1] < column else "right of" if before[1] > column else ""
                    said += (
                        f" {across} " if before[0] == row else f" above {'and ' * bool(across)}{across}".rstrip() + " "
                    )
                said += f"{'an' if digit == 8 else 'a'} {NAMES[digit]}"
                before = (row, column)
            assert said == caption
    assert used["train"].isdisjoint(used["validation"] | used["test"] | used["apart"])
    assert used["validation"].isdisjoint(used["test"] | used["apart"])
    assert used["apart"] <= set(split_items(range(len(digit_N)), (0.8, 0.05, 0.15), 0)["test"])


def test_scenes_apart_have_combinations_that_no_split_has(
    scenes: tuple[dict[Split, CaptionedImages], CaptionedImages],
) -> None:
    splits, apart = scenes
    seen = {triple for part in splits.values() for caption in part.captions for triple in _triples(caption)}
    novel = {triple for caption in apart.captions for triple in _triples(caption)} - seen
    assert all(novel & set(_triples(caption)) for caption in apart.captions)
    many, _ = digit_scenes({"train": 5000}, 1, 0)  # what is apart is apart for all
    held = {triple for caption in many["train"].captions for triple in _triples(caption)}
    assert 300 < len(held) <= 360
    assert all(set(_triples(caption)) - held for caption in apart.captions)


def test_scenes_follow_from_the_seed(scenes: tuple[dict[Split, CaptionedImages], CaptionedImages]) -> None:
    again, apart = digit_scenes({**SIZES, "train": 10}, 60, 0)
    assert again["test"].sha256 == scenes[0]["test"].sha256
    assert apart.sha256 == scenes[1].sha256
    assert again["train"].captions == scenes[0]["train"].captions[:10]
    assert digit_scenes(SIZES, 60, 1)[0]["test"].sha256 != scenes[0]["test"].sha256
