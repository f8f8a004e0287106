"""The corpus `digits`: images of handwritten digits. data/digit_scenes.py reads it."""

from __future__ import annotations

from seqlab.data.corpus import EmbeddedCorpus

CORPUS = EmbeddedCorpus(
    name="digits",
    tasks=("captioning",),
    about="1,797 handwritten digits of 8 x 8 pixels, of which scenes are made",
    licence="CC BY 4.0",
    citation="Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI: its test part",
    source="https://doi.org/10.24432/C50P49",
    package="sklearn",
    file="datasets/data/digits.csv.gz",
)
