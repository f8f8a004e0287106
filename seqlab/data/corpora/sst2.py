"""The corpus `sst2`: the Stanford Sentiment Treebank with two labels, in the form of GLUE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote
from seqlab.data.known_file import KnownFile
from seqlab.data.text import lines_of


def read(paths: Sequence[Path]) -> dict[str, list[tuple[str, str]]]:
    """(text, label) of GLUE's training phrases and of its development sentences, which are validation and test: the
    labels of its test sentences are not public, and the literature reports figures of the development part."""
    train, dev = (_rows(path) for path in paths)
    return {"train": train, "validation": dev, "test": dev}


def _rows(path: Path) -> list[tuple[str, str]]:
    labels = {"0": "negative", "1": "positive"}
    rows = (line.split("\t") for line in lines_of(path.read_text(encoding="utf-8"))[1:])  # without the header
    return [(text.strip(), labels[label.strip()]) for text, label in rows]


CORPUS = DownloadedCorpus(
    name="sst2",
    tasks={"sentiment": read},
    about="67,349 phrases of film reviews to train, and 872 sentences: validation, which is test as well (GLUE)",
    licence="not stated",
    citation="Socher et al. (2013), Recursive deep models for semantic compositionality over a sentiment treebank, "
    "EMNLP; Wang et al. (2018), GLUE",
    source="https://nlp.stanford.edu/sentiment/",
    remotes=(
        Remote(
            "https://dl.fbaipublicfiles.com/glue/data/SST-2.zip",
            7_439_277,
            "d67e16fb55739c1b32cdce9877596db1c127dc322d93c082281f64057c16deaa",
            members=(
                KnownFile("SST-2/train.tsv", hash="md5:da409a0a939379ed32a470bc0f7fe99a"),
                KnownFile("SST-2/dev.tsv", hash="md5:268856b487b2a31a28c0a93daaff7288"),
            ),
        ),
    ),
)
