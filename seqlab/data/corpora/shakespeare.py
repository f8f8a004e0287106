"""The corpus `shakespeare`: tiny shakespeare, a million characters of the plays, as in char-rnn and nanoGPT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote


def read(paths: Sequence[Path]) -> dict[str, str]:
    """nanoGPT's split: the first 90 % are for training, the last 10 % for validation. There is no third part: figures
    in the literature are of the validation split, which is the test split as well."""
    text = paths[0].read_text(encoding="utf-8")
    start = int(len(text) * 0.9)
    return {"train": text[:start], "validation": text[start:], "test": text[start:]}


CORPUS = DownloadedCorpus(
    name="shakespeare",
    tasks={"char_lm": read},
    about="tiny shakespeare, 1,115,394 characters; first 90 % to train, last 10 % validation, which is test as well",
    licence="public domain",
    citation="Karpathy (2015), The unreasonable effectiveness of recurrent neural networks; split of nanoGPT",
    source="https://github.com/karpathy/char-rnn",
    remotes=(
        Remote(
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            1_115_394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ),
    ),
)
