"""The corpus `free_spoken_digits`: the digits zero to nine, spoken in English; recordings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqlab.data.archives import contents_in
from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote

_RECORDING = re.compile(r"[^/]+/recordings/(\d_[a-z]+_\d+\.wav)")
_TEST, _VALIDATION = range(5), range(5, 10)  # the numbers of recordings of each digit by each speaker


def read(paths: Sequence[Path], _seed: int) -> list[Any]:
    """Readings: the official split tests on the recordings 0 to 4 of each digit and speaker; 5 to 9 validate here. The
    recordings are read from the archive, which is kept packed."""
    from seqlab.data.audio import read_recording

    readings = []
    for found, content in contents_in(paths[0], _RECORDING, most=10_000):
        path = Path(found[1])
        digit, _, number = path.stem.split("_")
        split = "test" if int(number) in _TEST else "validation" if int(number) in _VALIDATION else "train"
        recording = read_recording(path, "task.corpus", 10, content)
        readings.append((path.name, digit, split, recording))
    return readings


CORPUS = DownloadedCorpus(
    name="free_spoken_digits",
    tasks={"speech": read},
    about="3,000 recordings of the digits by 6 speakers (8 kHz): numbers 0 to 4 of each to test, 5 to 9 to validate",
    licence="CC BY-SA 4.0",
    citation="Jackson et al. (2018), Free Spoken Digit Dataset v1.0.10, doi:10.5281/zenodo.1342401",
    source="https://github.com/Jakobovski/free-spoken-digit-dataset",
    remotes=(
        Remote(
            "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz",
            name="free-spoken-digit-dataset-1.0.10.tar.gz",
        ),
    ),
)
