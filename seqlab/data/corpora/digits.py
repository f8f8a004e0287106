"""The corpus `digits`: images of handwritten digits. data/digit_scenes.py reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqlab.data.corpus import EmbeddedCorpus


def read(_paths: Sequence[Path], sizes: Mapping[Any, int], combinations: int, seed: int) -> Any:
    """Scenes of digits by split, and scenes apart; see digit_scenes."""
    from seqlab.data.digit_scenes import digit_scenes

    return digit_scenes(sizes, combinations, seed)


CORPUS = EmbeddedCorpus(
    name="digits",
    tasks={"captioning": read},
    about="1,797 handwritten digits of 8 x 8 pixels, of which scenes are made",
    licence="CC BY 4.0",
    citation="Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI: its test part",
    source="https://doi.org/10.24432/C50P49",
    package="sklearn",
    file="datasets/data/digits.csv.gz",
)
