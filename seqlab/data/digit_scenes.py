"""The corpus `digits`: scenes of one to four handwritten digits, and a caption of each.

Shape letters: N images or scenes, C = 1 channel, H W pixels.
"""

from __future__ import annotations

import gzip
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import numpy.typing as npt

from seqlab.core.batch import Split
from seqlab.data.batching import split_items
from seqlab.data.captioned import CaptionedImages
from seqlab.data.corpora.digits import CORPUS
from seqlab.errors import DataError

SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"  # of the table, without its compression
SIDE = 24
"""Pixels of a scene's side."""
_CELLS, _CELL, _DIGIT, _MARGIN = 2, 10, 8, 2  # cells of a side; pixels of a cell, of a digit and around the cells
_SHARES = (0.8, 0.05, 0.15)  # of the digits' images for training, validation and test
_COUNTS = (1, 2, 3, 4)  # digits of a scene
_PLACES = tuple(product(range(_CELLS), range(_CELLS)))
_APART_SHARE = 0.1  # of all combinations: never seen in training
_NAMES = ("a zero", "a one", "a two", "a three", "a four", "a five", "a six", "a seven", "an eight", "a nine")
_RELATIONS = ("left of", "above", "above and left of", "above and right of")

Combination = tuple[int, str, int]
"""A digit, where it stands, and the next digit of the scene in reading order."""


@dataclass(frozen=True)
class _Scene:
    """Which images stand where. cells: by row and column, in reading order; shifts: within each cell, in pixels."""

    images: tuple[int, ...]
    cells: tuple[tuple[int, int], ...]
    shifts: tuple[tuple[int, int], ...]

    def combinations(self, digit_N: Sequence[int]) -> list[Combination]:
        """Each digit with the next one."""
        placed = [(digit_N[image], cell) for image, cell in zip(self.images, self.cells, strict=True)]
        return [(a, relation(first, second), b) for (a, first), (b, second) in pairwise(placed)]

    def caption(self, digit_N: Sequence[int]) -> str:
        """The digits in reading order: row by row, each row from left to right. A scene has no other caption."""
        first = _NAMES[digit_N[self.images[0]]]
        return " ".join([first, *(f"{where} {_NAMES[b]}" for _, where, b in self.combinations(digit_N))])

    def draw(self, image_NHW: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Dark ink on white paper."""
        scene_HW = np.full((SIDE, SIDE), 255, dtype=np.uint8)
        for image, cell, shift in zip(self.images, self.cells, self.shifts, strict=True):
            y, x = (_MARGIN + _CELL * at + more for at, more in zip(cell, shift, strict=True))
            scene_HW[y : y + _DIGIT, x : x + _DIGIT] = 255 - image_NHW[image]
        return scene_HW


def relation(cell: tuple[int, int], after: tuple[int, int]) -> str:
    """Where a cell (row, column) stands, seen from one that comes after it in reading order."""
    if cell[0] == after[0]:
        return "left of"
    side = (after[1] > cell[1]) - (after[1] < cell[1])
    return {0: "above", 1: "above and left of", -1: "above and right of"}[side]


def digit_scenes(
    sizes: Mapping[Split, int], combinations: int, seed: int
) -> tuple[dict[Split, CaptionedImages], CaptionedImages]:
    """(scenes of each split, scenes for testing with combinations that those do not have), all from the seed.

    sizes: how many scenes a split has; combinations: how many of the others there are. No image of a digit is in two
    splits, and the scenes with other combinations have the images of test. A tenth of all 400 combinations never occurs
    in a split; each of the scenes apart has at least one of them. Raises DataError if the digits are missing.
    """
    image_NHW, digit_N = read_digits()
    every = sorted(product(range(10), _RELATIONS, range(10)))
    apart = frozenset(random.Random(f"{seed} combinations").sample(every, round(_APART_SHARE * len(every))))
    images = split_items(range(len(digit_N)), _SHARES, seed)

    def drawn(name: str, split: Split, count: int, wanted: Callable[[_Scene], bool]) -> CaptionedImages:
        rng, scenes = random.Random(f"{seed} {name}"), list[_Scene]()
        while len(scenes) < count:
            if wanted(scene := _scene(rng, images[split])):
                scenes.append(scene)
        image_NCHW = np.stack([scene.draw(image_NHW) for scene in scenes])[:, None]
        return CaptionedImages(image_NCHW, tuple(range(count)), tuple(scene.caption(digit_N) for scene in scenes))

    def known(scene: _Scene) -> bool:
        return apart.isdisjoint(scene.combinations(digit_N))

    splits = {split: drawn(split, split, size, known) for split, size in sizes.items()}
    return splits, drawn("combinations of test", "test", combinations, lambda scene: not known(scene))


def _scene(rng: random.Random, images: Sequence[int]) -> _Scene:
    cells = sorted(rng.sample(_PLACES, rng.choice(_COUNTS)))
    shifts = ((rng.randint(0, _CELL - _DIGIT), rng.randint(0, _CELL - _DIGIT)) for _ in cells)
    return _Scene(tuple(rng.choice(images) for _ in cells), tuple(cells), tuple(shifts))


def read_digits() -> tuple[npt.NDArray[np.uint8], list[int]]:
    """(image_NHW of 8 x 8 pixels, ink from 0 to 255; the digit that each shows). The table is read from its path, since
    importing sklearn.datasets takes seconds."""
    (path,) = CORPUS.files()
    raw = gzip.decompress(path.read_bytes())
    if hashlib.sha256(raw).hexdigest() != SHA256:
        raise DataError(
            "scikit-learn's table of digits does not have the expected sha256", "install scikit-learn again"
        )
    table = np.array([line.split(",") for line in raw.decode().split()], dtype=np.float64)
    ink_NHW = np.round(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, _DIGIT, _DIGIT)
    return ink_NHW, [int(digit) for digit in table[:, -1]]
