"""The corpus `cldr`: dates, quantities and lists in two languages. data/cldr.py makes it."""

from __future__ import annotations

from seqlab.data.corpus import EmbeddedCorpus

CORPUS = EmbeddedCorpus(
    name="cldr",
    tasks=("translation",),
    about="dates, quantities, lists, ... formatted by Babel in English and another language",
    licence="Unicode License v3",
    citation="Unicode Consortium, Common Locale Data Repository, as in Babel",
    source="https://cldr.unicode.org",
    package="babel",
    file="locale-data",
)
