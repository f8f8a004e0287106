"""The corpus `tatoeba_es_en`: sentences in Spanish and in English. data/tatoeba.py reads it."""

from __future__ import annotations

from seqlab.data.tatoeba import tatoeba

CORPUS = tatoeba("es", "en", "short sentences from Spanish into English, by volunteers; no published splits")
