"""The corpus `tatoeba_de_en`: sentences in German and in English. data/tatoeba.py reads it."""

from __future__ import annotations

from seqlab.data.tatoeba import tatoeba

CORPUS = tatoeba("de", "en", "short sentences from German into English, by volunteers; no published splits")
