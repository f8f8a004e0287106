"""The corpus `multi30k_fr_en`: captions of pictures in French and in English. data/multi30k.py reads it."""

from __future__ import annotations

from seqlab.data.multi30k import multi30k

CORPUS = multi30k(
    "fr", "en", "captions of pictures from French into English: 29,000 / 1,014 / 1,000 pairs (test_2016_flickr)"
)
