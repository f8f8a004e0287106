"""The corpus `mr`: sentences from film reviews, positive or negative; whole, as in Kim (2014)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote
from seqlab.data.known_file import KnownFile


def read(paths: Sequence[Path]) -> dict[str, list[tuple[str, str]]]:
    """(text, label) of each sentence. There is no published split: the literature reports 10-fold cross-validation, as
    task.fold does. The files are in cp1252, or, as some have them, in UTF-8."""
    rows = []
    for path, label in zip(paths, ("positive", "negative"), strict=True):
        raw = path.read_bytes()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("cp1252")
        rows += [(line.strip(), label) for line in text.removesuffix("\n").split("\n")]
    return {"train": rows}


CORPUS = DownloadedCorpus(
    name="mr",
    tasks={"sentiment": read},
    about="5,331 positive and 5,331 negative sentences of film reviews (sentence polarity v1.0)",
    licence="CC BY 4.0",
    citation="Pang & Lee (2005), Seeing stars, ACL; folds as in Kim (2014), Convolutional neural networks for sentence "
    "classification, EMNLP",
    source="https://www.cs.cornell.edu/people/pabo/movie-review-data/",
    folder="rt-polarity",
    remotes=(
        Remote(
            "https://www.cs.cornell.edu/people/pabo/movie-review-data/rt-polaritydata.tar.gz",
            hash="md5:50c1c2c047b4225e148e97aa7708c34e",
            members=(
                KnownFile(
                    "rt-polaritydata/rt-polarity.pos",
                    626_168,
                    "d79ef14009bbf87cd6be21f91c3ea1a3cbcb73b34dfb4231aef7bbcd7677abc4",
                    others=((626_395, "4134882974a28d0c7b5151256f0e33a6169984ee7372c279e673f1114f475d58"),),  # UTF-8
                ),
                KnownFile(
                    "rt-polaritydata/rt-polarity.neg",
                    612_290,
                    "4af43bf489620b498a0852c5a8c6a535155dec7985fdfea782b8f7756b957ccc",
                    others=((612_506, "2d11cfbc790f1cd96d78339f41ce53ced1efa83cd22d37d6788fa3fe3d17e2fd"),),
                ),
            ),
        ),
    ),
)
