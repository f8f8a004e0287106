"""Vocabularies: tokens and their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Protocol

from pydantic import Field

from seqlab.core.batch import HELD_OUT, Split
from seqlab.core.network import Alphabet
from seqlab.data.words import Unit

PAD, UNKNOWN, START, END = range(4)
SPECIALS = ("<pad>", "<unknown>", "<start>", "<end>")
ALPHABET = Alphabet(start=START, end=END, pad=PAD, undrawn=(PAD, UNKNOWN, START, END))
UNKNOWN_SIGN = "\u2047"  # ⁇, as in SentencePiece: one character, so that metrics do not compare its letters

_MANY_UNKNOWN = 0.25

VocabularySize = Annotated[int, Field(gt=len(SPECIALS))]
"""How many tokens to keep, including the special ones."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that a network knows, beginning with the four special ones; a token's id is its index."""

    tokens: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]], *, size: int | None = None, min_count: int = 1) -> Vocabulary:
        """The tokens that occur at least `min_count` times, most frequent first and ties in code point
        order; at most `size`, including the special ones. Use it on the training split only."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        return cls.counted(counts, size=size, min_count=min_count)

    @classmethod
    def counted(cls, counts: Mapping[str, int], *, size: int | None = None, min_count: int = 1) -> Vocabulary:
        """The same of tokens that have been counted."""
        ranked = sorted((token for token in counts if counts[token] >= min_count), key=lambda t: (-counts[t], t))
        return cls((SPECIALS + tuple(ranked))[:size])

    @classmethod
    def restored(cls, tokens: object) -> Vocabulary:
        """The vocabulary with these tokens, read from JSON. Raises ValueError if they are not one."""
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise ValueError("a vocabulary is a list of tokens")
        if tuple(tokens[: len(SPECIALS)]) != SPECIALS or len(set(tokens)) < len(tokens):
            raise ValueError(f"a vocabulary begins with {', '.join(SPECIALS)} and contains no token twice")
        return cls(tuple(tokens))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens)}

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The ids of these tokens; UNKNOWN for a token that is not in the vocabulary."""
        ids = self._ids
        return [ids.get(token, UNKNOWN) for token in tokens]

    def unknown(self, tokens: Iterable[str]) -> tuple[str, ...]:
        """The tokens that are not in the vocabulary, each once, in order."""
        return tuple(dict.fromkeys(token for token in tokens if token not in self._ids))

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of these ids up to the first END, without PAD and START; UNKNOWN becomes ⁇."""
        tokens: list[str] = []
        for index in ids:
            if index == END:
                break
            if index not in (PAD, START):
                tokens.append(UNKNOWN_SIGN if index == UNKNOWN else self.tokens[index])
        return tokens

    def shown(self, tokens: Iterable[str]) -> tuple[str, ...]:
        """Tokens as people read them."""
        return tuple(tokens)

    def written(self, ids: Iterable[int], separator: str) -> Iterator[str]:
        """What each of these ids adds to a text, one after the other."""
        for index in ids:
            yield from (separator + token for token in self.decode([index]))


@dataclass(frozen=True)
class UnknownTokens:
    """How many tokens of a split do not occur in training."""

    count: int
    of_all: int

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> UnknownTokens:
        """Counted in rows of ids."""
        counted = [(row.count(UNKNOWN), len(row)) for row in rows]
        return cls(sum(count for count, _ in counted), sum(length for _, length in counted))

    @property
    def share(self) -> float:
        return self.count / max(self.of_all, 1)

    def __str__(self) -> str:
        return f"{self.count:,} of {self.of_all:,} ({self.share:.1%})"


class HasUnknown(Protocol):
    """A split as ids."""

    def unknown(self, unit: Unit) -> dict[str, UnknownTokens]:
        """The tokens that are not in training, by kind: words, source words, ..."""


def unknown_in(encoded: HasUnknown, unit: Unit) -> dict[str, tuple[int, int]]:
    """As Task.unknown_in: how many tokens of a split are unknown, and of how many."""
    return {what: (tokens.count, tokens.of_all) for what, tokens in encoded.unknown(unit).items()}


def _held_out_unknown(encoded: Mapping[Split, HasUnknown], unit: Unit) -> dict[str, UnknownTokens]:
    """The unknown tokens of test and validation, by kind and split: "words of test"."""
    return {
        f"{what} of {split}": tokens
        for split in reversed(HELD_OUT)
        for what, tokens in encoded[split].unknown(unit).items()
    }


def unknown_facts(encoded: Mapping[Split, HasUnknown], unit: Unit) -> dict[str, str]:
    """Facts about the unknown tokens of test and validation, if there are any."""
    return {f"{what} not in training": str(n) for what, n in _held_out_unknown(encoded, unit).items() if n.count}


def unknown_warnings(encoded: Mapping[Split, HasUnknown], unit: Unit) -> Iterator[str]:
    """A warning, with the remedy, about the first of these of which a large share is unknown."""
    for what, tokens in _held_out_unknown(encoded, unit).items():
        if tokens.share <= _MANY_UNKNOWN:
            continue
        remedy = "is it the same kind of text?"
        if unit == "word":
            remedy = "for a script without spaces, or a small corpus, task.tokens=char or bpe is better"
        yield f"{tokens} of the {what} do not occur in training: {remedy}"
        return
