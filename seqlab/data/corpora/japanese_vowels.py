"""The corpus `japanese_vowels`: nine speakers say two vowels; 12 cepstral coefficients a frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqlab.data.known_file import KnownFile
from seqlab.data.wheel_corpus import WheelCorpus

_FOLDER = "aeon/datasets/data/JapaneseVowels"


def read(paths: Sequence[Path], seed: int) -> Any:
    """The published splits, and validation from the training part; see read_archive."""
    from seqlab.data.utterances import read_archive

    train, test = paths
    return read_archive(train, test, "task.corpus", seed)


CORPUS = WheelCorpus(
    name="japanese_vowels",
    tasks={"speech": read},
    about="640 utterances of two vowels by 9 speakers, 270 to train and 370 to test: 7 to 29 frames of 12 cepstra",
    licence="CC BY 4.0",
    citation="Kudo, Toyama & Shimbo (1999), Multidimensional curve classification using passing-through regions, "
    "Pattern Recognition Letters 20, 1103-1111",
    source="https://doi.org/10.24432/C5NS47",
    package="aeon",
    version="1.6.0",
    members=(
        KnownFile(
            f"{_FOLDER}/JapaneseVowels_TRAIN.ts",
            487_971,
            "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
        ),
        KnownFile(
            f"{_FOLDER}/JapaneseVowels_TEST.ts",
            649_132,
            "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
        ),
    ),
)
