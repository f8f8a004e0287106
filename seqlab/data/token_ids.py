"""The ids of a text's tokens in the smallest type that holds them, in memory or in a memory-mapped file; and how much
text the tokens stand for.

Shape letters: N tokens of a text, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqlab.data.subwords import Subwords
from seqlab.data.vocabulary import SPECIALS, UNKNOWN, Vocabulary
from seqlab.data.words import Unit

Ids = NDArray[np.unsignedinteger[Any]]
Floats = NDArray[np.float64]

_PART = 2**20
_CODE_POINTS = 0x110000


def id_type(vocabulary: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type that holds the ids of so many tokens."""
    return np.uint8 if vocabulary <= 2**8 else np.uint16 if vocabulary <= 2**16 else np.uint32


class TokenIds:
    """ids_N, of which whatever is read becomes a tensor of int64."""

    def __init__(self, ids_N: Ids) -> None:
        self.ids_N = ids_N

    def __len__(self) -> int:
        return len(self.ids_N)

    def __getitem__(self, part: slice) -> Tensor:
        return torch.from_numpy(self.ids_N[part].astype(np.int64))

    def at(self, places: Tensor) -> Tensor:
        """The ids at these places, in the shape of `places`."""
        return torch.from_numpy(self.ids_N[places.numpy()].astype(np.int64))

    def tolist(self) -> list[int]:
        """All ids."""
        found: list[int] = self.ids_N.tolist()
        return found

    def parts(self) -> Iterator[Ids]:
        """The ids in order, some at a time."""
        yield from (self.ids_N[start : start + _PART] for start in range(0, len(self), _PART))

    def counts(self, vocabulary: int) -> NDArray[np.int64]:
        """counts_V: how often each token occurs."""
        counts_V = np.zeros(vocabulary, dtype=np.int64)
        for part in self.parts():
            counts_V += np.bincount(part, minlength=vocabulary)
        return counts_V


def code_points(text: str) -> Iterator[NDArray[np.uint32] | NDArray[np.uint8]]:
    """The characters of a text as numbers, some at a time."""
    for start in range(0, len(text), _PART):
        part = text[start : start + _PART]
        if part.isascii():
            yield np.frombuffer(part.encode("ascii"), dtype=np.uint8)
        else:
            yield np.frombuffer(part.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def character_counts(text: str) -> NDArray[np.int64]:
    """How often each code point occurs."""
    counts = np.zeros(_CODE_POINTS, dtype=np.int64)
    for part in code_points(text):
        found = np.bincount(part)
        counts[: len(found)] += found
    return counts


def most_frequent(counts: NDArray[np.int64], size: int | None = None) -> Vocabulary:
    """The vocabulary of characters with these counts, as Vocabulary.of makes it from the characters themselves."""
    (found,) = counts.nonzero()
    ranked = found[np.argsort(-counts[found], kind="stable")]  # code points are in order, and stay so where counts tie
    return Vocabulary((*SPECIALS, *map(chr, ranked.tolist()))[:size])


def learned_vocabulary(tokens: Sequence[str], size: int | None = None) -> Vocabulary:
    """The vocabulary of a training text: of its tokens, or of its characters where it is a string."""
    if isinstance(tokens, str):
        return most_frequent(character_counts(tokens), size)
    return Vocabulary.of([tokens], size=size)


def ids_of(vocabulary: Vocabulary, tokens: Sequence[str]) -> TokenIds:
    """The ids of a text's tokens, or of its characters where it is a string."""
    kind = id_type(len(vocabulary))
    if not isinstance(tokens, str):
        return TokenIds(np.array(vocabulary.encode(tokens), dtype=kind))
    table = np.full(_CODE_POINTS, UNKNOWN, dtype=kind)
    for index, token in enumerate(vocabulary.tokens):
        if len(token) == 1:
            table[ord(token)] = index
    ids_N = np.empty(len(tokens), dtype=kind)
    filled = 0
    for part in code_points(tokens):
        np.take(table, part, out=ids_N[filled : filled + len(part)])
        filled += len(part)
    return TokenIds(ids_N)


def subword_ids(vocabulary: Subwords, text: str) -> TokenIds:
    """The ids of a text of any length as subwords. Raises DataError if they do not give back the text."""
    kind = id_type(len(vocabulary))
    return TokenIds(np.concatenate([part.astype(kind) for part in vocabulary.encode_parts(text)]))


def utf8_length(text: str) -> int:
    """The bytes of a text in UTF-8."""
    if text.isascii():
        return len(text)
    starts = range(0, len(text), _PART)
    return sum(len(text[start : start + _PART].encode("utf-8", "replace")) for start in starts)


@dataclass(frozen=True)
class TextSize:
    """Characters and bytes (UTF-8) of a text, and of its words without the white space between them."""

    characters: int
    bytes: int
    word_characters: int = 0
    word_bytes: int = 0

    @classmethod
    def of(cls, text: str, words: Iterable[str] = ()) -> TextSize:
        """words: those of the text, where words are its tokens."""
        words = list(words)
        sizes = (sum(map(len, words)), sum(map(utf8_length, words)))
        return cls(len(text), utf8_length(text), *sizes)


@dataclass(frozen=True)
class TokenSizes:
    """How many characters and bytes each token of the vocabulary stands for, so that those of a split's tokens add up
    to its text. A word has the white space after it, on average over the split; so have the unknown tokens their
    length."""

    characters_V: Floats
    bytes_V: Floats

    def total(self, counts_V: NDArray[np.int64]) -> tuple[float, float]:
        """(characters, bytes) of so many of each token."""
        return float(counts_V @ self.characters_V), float(counts_V @ self.bytes_V)

    @classmethod
    def of(cls, vocabulary: Vocabulary, unit: Unit, ids: TokenIds, size: TextSize) -> TokenSizes:
        """Those of a split with these ids and of this size."""
        if isinstance(vocabulary, Subwords):
            return cls(vocabulary.character_counts.astype(np.float64), vocabulary.byte_counts.astype(np.float64))
        counts_V = ids.counts(len(vocabulary))
        sizes = []
        for length_of, whole, of_words in (
            (len, size.characters, size.word_characters),
            (utf8_length, size.bytes, size.word_bytes),
        ):
            length_V = np.array(
                [0.0] * len(SPECIALS) + [float(length_of(t)) for t in vocabulary.tokens[len(SPECIALS) :]]
            )
            read = of_words if unit == "word" else whole
            blank = (whole - read) / max(len(ids), 1)
            length_V[UNKNOWN] = (read - float(counts_V @ length_V)) / max(int(counts_V[UNKNOWN]), 1)
            sizes.append(length_V + blank)
        return cls(*sizes)
