"""The corpus `python_docs`: the text behind Python's `help()`. data/python_docs.py reads it."""

from __future__ import annotations

from seqlab.data.corpus import EmbeddedCorpus

CORPUS = EmbeddedCorpus(
    name="python_docs",
    tasks=("char_lm",),
    about="the reference text behind Python's help(), 373 k characters (Python 3.11)",
    licence="PSF License",
    citation="Python Software Foundation, The Python Language Reference",
    source="https://docs.python.org/3/reference/",
    package="pydoc_data",
    file="topics.py",
)
