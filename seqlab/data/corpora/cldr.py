"""The corpus `cldr`: dates, quantities and lists in two languages. data/cldr.py makes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqlab.data.corpus import EmbeddedCorpus


def read(_paths: Sequence[Path], target: str, count: int, seed: int) -> dict[str, list[tuple[str, str]]]:
    """`count` pairs of an English phrase and its translation into `target`; see cldr_pairs."""
    from seqlab.data.cldr import cldr_pairs

    return {"train": cldr_pairs(target, count, seed)}


CORPUS = EmbeddedCorpus(
    name="cldr",
    tasks={"translation": read},
    about="dates, quantities, lists, ... formatted by Babel in English and another language",
    licence="Unicode License v3",
    citation="Unicode Consortium, Common Locale Data Repository, as in Babel",
    source="https://cldr.unicode.org",
    package="babel",
    file="locale-data",
)
