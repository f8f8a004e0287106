"""The corpus `python_docs`: the reference text that ships with Python's own `help()`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqlab.data.corpus import EmbeddedCorpus


def read(_paths: Sequence[Path]) -> dict[str, str]:
    """The topics of pydoc_data in sorted order, each paragraph kept only where it first occurs.

    About a fifth of the paragraphs are repeated across topics, and a language model must not be tested on its training
    text. Paragraphs are compared with white space collapsed. The text depends on the Python version.
    """
    from pydoc_data import topics

    seen: set[str] = set()
    kept: list[str] = []
    for name in sorted(topics.topics):
        for paragraph in topics.topics[name].split("\n\n"):
            collapsed = " ".join(paragraph.split())
            if collapsed not in seen:
                seen.add(collapsed)
                kept.append(paragraph)
    return {"train": "\n\n".join(kept)}


CORPUS = EmbeddedCorpus(
    name="python_docs",
    tasks={"char_lm": read},
    about="the reference text behind Python's help(), 373 k characters (Python 3.11)",
    licence="PSF License",
    citation="Python Software Foundation, The Python Language Reference",
    source="https://docs.python.org/3/reference/",
    package="pydoc_data",
    file="topics.py",
)
