"""The corpus `enwik8`: the first 100 MB of an English Wikipedia, with its markup, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote
from seqlab.data.known_file import KnownFile


def read(paths: Sequence[Path]) -> dict[str, str]:
    """The split of the literature: 90, 5 and 5 million bytes, in order. A character is a byte, as in the literature,
    so that bits per character are bits per byte."""
    text = paths[0].read_bytes().decode("latin-1")
    return {"train": text[:90_000_000], "validation": text[90_000_000:95_000_000], "test": text[95_000_000:]}


CORPUS = DownloadedCorpus(
    name="enwik8",
    tasks={"char_lm": read},
    about="100,000,000 bytes of Wikipedia, each read as a character: the first 90 M to train, then 5 M and 5 M",
    licence="CC BY-SA 3.0",
    citation="Hutter (2006), The human knowledge compression contest; Mahoney, Large text compression benchmark",
    source="https://mattmahoney.net/dc/textdata.html",
    remotes=(
        Remote(
            "https://mattmahoney.net/dc/enwik8.zip",
            36_445_475,
            "547994d9980ebed1288380d652999f38a14fe291a6247c157c3d33d4932534bc",
            mirrors=("http://mattmahoney.net/dc/enwik8.zip", "https://data.deepai.org/enwik8.zip"),
            members=(
                KnownFile("enwik8", 100_000_000, "2b49720ec4d78c3c9fabaee6e4179a5e997302b3a70029f30f2d582218c024a8"),
            ),
        ),
    ),
)
