"""The corpus `tatoeba_fr_en`: sentences in French and in English. data/tatoeba.py reads it."""

from __future__ import annotations

from seqlab.data.tatoeba import tatoeba

CORPUS = tatoeba("fr", "en", "short sentences from French into English, by volunteers; no published splits")
