"""Splitting texts into words or characters, in any script."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

Unit = Literal["word", "char", "subword"]
Normalization = Literal["none", "nfc"]


def words(text: str) -> list[str]:
    """Words (with parts after an apostrophe), numbers, and single punctuation marks, each with its combining marks."""
    found: list[str] = _word().findall(text)
    return found


@cache
def _word() -> Any:
    import regex  # takes a quarter of a second, which texts of characters need not wait for

    # \w includes combining marks and the two joiners here, so vowel signs and accents stay in their word
    return regex.compile(r"(?:[^\W\d_]|[\p{Nl}\p{No}])+(?:'[^\W\d_]+)?|\d+\p{M}*|[^\w\s]\p{M}*")


def characters(text: str) -> list[str]:
    """Its characters, with white space of any kind and length as one space."""
    return list(" ".join(text.split()))


SPLIT: dict[Unit, Callable[[str], list[str]]] = {"word": words, "char": characters}
"""The function that splits a text into tokens of a unit; subwords are split by their vocabulary."""

SEPARATOR: dict[Unit, str] = {"word": " ", "char": "", "subword": ""}
"""The separator between the tokens of a text, by unit."""

NAMES: dict[Unit, str] = {"word": "words", "char": "characters", "subword": "tokens"}


def normalized(text: str, form: Normalization) -> str:
    """The text, with `nfc` in Unicode normalization form C: an accent and its letter become one character."""
    return unicodedata.normalize("NFC", text) if form == "nfc" else text


def same_text_key(text: str) -> str:
    """A key that is equal for texts that differ only in case, white space or the composition of accents."""
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())


def too_long(length: int, most: int, unit: Unit) -> str:
    """A warning about a text of `length` tokens of which `most` are read, or "" if it fits."""
    if length <= most:
        return ""
    return f"only the first {most:,} of {length:,} {NAMES[unit]} are read (task.max_length)"
