"""The corpus `multi30k_de_en`: captions of pictures in German and in English. data/multi30k.py reads it."""

from __future__ import annotations

from seqlab.data.multi30k import multi30k

CORPUS = multi30k(
    "de", "en", "captions of pictures from German into English: 29,000 / 1,014 / 1,000 pairs (test_2016_flickr)"
)
