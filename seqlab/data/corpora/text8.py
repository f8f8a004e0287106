"""The corpus `text8`: the letters a to z and spaces of an English Wikipedia."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote
from seqlab.data.known_file import KnownFile


def read(paths: Sequence[Path]) -> dict[str, str]:
    """The split of the literature (Mikolov 2012): 90, 5 and 5 million characters, in order."""
    text = paths[0].read_text(encoding="ascii")
    return {"train": text[:90_000_000], "validation": text[90_000_000:95_000_000], "test": text[95_000_000:]}


CORPUS = DownloadedCorpus(
    name="text8",
    tasks={"char_lm": read},
    about="100,000,000 characters of Wikipedia, a to z and space: the first 90 M to train, then 5 M and 5 M",
    licence="CC BY-SA 3.0",
    citation="Mahoney (2006), Large text compression benchmark; split of Mikolov et al. (2012), Subword language "
    "modeling with neural networks",
    source="https://mattmahoney.net/dc/textdata.html",
    remotes=(
        Remote(
            "https://mattmahoney.net/dc/text8.zip",
            31_344_016,
            "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
            mirrors=("http://mattmahoney.net/dc/text8.zip",),
            members=(KnownFile("text8", 100_000_000, "md5:3bea1919949baf155f99411df5fada7e"),),
        ),
    ),
)
