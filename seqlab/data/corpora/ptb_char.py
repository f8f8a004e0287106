"""The corpus `ptb_char`: the Penn Treebank by characters, as Mikolov prepared it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote
from seqlab.data.known_file import KnownFile


def read(paths: Sequence[Path]) -> dict[str, str]:
    """The three files as they are published: sections 0-20, 21-22 and 23-24. In the files, spaces divide the characters
    and `_` is a space. The end of each sentence is a character, as in the literature."""
    texts = [path.read_text(encoding="ascii").replace(" ", "").replace("_", " ") for path in paths]
    return dict(zip(("train", "validation", "test"), texts, strict=True))


CORPUS = DownloadedCorpus(
    name="ptb_char",
    tasks={"char_lm": read},
    about="Penn Treebank by characters, lower-cased and with 10,000 words: the three parts that Mikolov published",
    licence="research only",
    citation="Marcus, Santorini & Marcinkiewicz (1993), Building a large annotated corpus of English; prepared by "
    "Mikolov et al. (2010)",
    source="https://www.fit.vutbr.cz/~imikolov/rnnlm/",
    remotes=(
        Remote(
            "http://www.fit.vutbr.cz/~imikolov/rnnlm/simple-examples.tgz",
            hash="md5:30177ea32e27c525793142b6bf2c8e2d",
            mirrors=("https://dataset.bj.bcebos.com/imikolov%2Fsimple-examples.tgz",),
            members=tuple(
                KnownFile(f"simple-examples/data/ptb.char.{part}.txt") for part in ("train", "valid", "test")
            ),
        ),
    ),
)
