"""The corpus `imdb`: whole reviews of films, positive or negative."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from seqlab.data.archives import texts_in
from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote

_REVIEW = re.compile(r"aclImdb/(train|test)/(pos|neg)/\d+_\d+\.txt")
_LINE_ENDS = re.compile(r"<br\s*/?>")


def read(paths: Sequence[Path]) -> dict[str, list[tuple[str, str]]]:
    """(text, label) of the published training and test part, in the order of the files' names; validation is cut from
    the training part. Line ends in HTML become spaces. The reviews are read from the archive, which is kept packed."""
    labels = {"pos": "positive", "neg": "negative"}
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    for name, text in sorted(texts_in(paths[0], _REVIEW, most=50_000).items()):
        _, part, label, _ = name.split("/")
        parts[part].append((" ".join(_LINE_ENDS.sub(" ", text).split()), labels[label]))
    return parts


CORPUS = DownloadedCorpus(
    name="imdb",
    tasks={"sentiment": read},
    about="50,000 reviews of films, half of them positive: 25,000 to train, of which a tenth validates, 25,000 to test",
    licence="not stated",
    citation="Maas et al. (2011), Learning word vectors for sentiment analysis, ACL",
    source="https://ai.stanford.edu/~amaas/data/sentiment/",
    remotes=(
        Remote(
            "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
            84_125_825,
            "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
        ),
    ),
)
