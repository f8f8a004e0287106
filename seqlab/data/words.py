"""Texts as words or characters, in every script."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Literal

import regex

Unit = Literal["word", "char"]
Normalization = Literal["none", "nfc"]

# In this library \w holds combining marks and the two joiners, so that vowel signs and accents stay in their word.
_WORD = regex.compile(r"(?:[^\W\d_]|[\p{Nl}\p{No}])+(?:'[^\W\d_]+)?|\d+\p{M}*|[^\w\s]\p{M}*")


def words(text: str) -> list[str]:
    """Words (with their apostrophe parts), numbers, and single punctuation marks, each with its combining marks."""
    found: list[str] = _WORD.findall(text)
    return found


def characters(text: str) -> list[str]:
    """Its characters, white space of every kind and length as one space."""
    return list(" ".join(text.split()))


SPLIT: dict[Unit, Callable[[str], list[str]]] = {"word": words, "char": characters}
"""How a text becomes tokens of each unit."""

NAMES: dict[Unit, str] = {"word": "words", "char": "characters"}


def normalized(text: str, form: Normalization) -> str:
    """The text, for `nfc` in Unicode normalization form C: an accent and its letter are one character."""
    return unicodedata.normalize("NFC", text) if form == "nfc" else text


def same_text_key(text: str) -> str:
    """Equal for texts that differ in case, white space or the composition of accents alone."""
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())


def too_long(length: int, most: int, unit: Unit) -> str:
    """What to say of a text of `length` tokens where `most` are read; nothing where that is all."""
    if length <= most:
        return ""
    return f"the first {most:,} of {length:,} {NAMES[unit]} are read; the others are over task.max_length"
