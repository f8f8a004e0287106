"""The corpus `python_prose`: the paragraphs of `python_docs`, without its code, tables, grammar and lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seqlab.data.corpora import python_docs

_LEAST = 120  # characters: shorter ones are headings and remarks such as "Changed in version 3.9: ..."
_NO_PROSE = re.compile(r">>>|::=|\||\+--|={3,}|\*{4,}|-{4,}|\S {3,}\S")


def read(paths: Sequence[Path]) -> dict[str, str]:
    """Each paragraph as one line, with an empty line between two."""
    paragraphs = python_docs.read(paths)["train"].split("\n\n")
    return {"train": "\n\n".join(" ".join(one.split()) for one in paragraphs if _is_prose(one))}


def _is_prose(paragraph: str) -> bool:
    """Whether it begins and ends as sentences do, and has nothing of a table or of code."""
    text = paragraph.strip()
    sentences = text[:1].isupper() and text.endswith((".", ":"))
    return sentences and len(text) >= _LEAST and _NO_PROSE.search(text) is None


CORPUS = replace(
    python_docs.CORPUS,
    name="python_prose",
    tasks={"char_lm": read},
    about="the paragraphs of python_docs, without code, tables and lists, 194 k characters (Python 3.11)",
)
