"""Subword tokens, by the `tokenizers` library: every token stands for bytes, and the tokens of a text give back its
bytes, so that nothing is unknown.

Shape letters: N tokens of a text, V vocabulary.
"""

from __future__ import annotations

import json
import os
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seqlab.core.files import read_plain
from seqlab.data.files import exists, expanded
from seqlab.data.vocabulary import END, PAD, SPECIALS, START, UNKNOWN, Vocabulary
from seqlab.data.words import normalized
from seqlab.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ints = NDArray[np.int64]
PART = 2**14  # characters of a part: the library is twice as quick as with long texts
_BATCH = 64  # parts encoded at once
_MOST_BYTES = 2**28
# Byte-level tokenizers begin a new word at both places, so a text cut there has the tokens of the whole text: between a
# single line end and a word, and before a single space and a word. Some take a "/" to the line end before it.
_BORDER = re.compile(r"(?<=\S\n)(?=\w)|(?<=\S)(?= \w)")
_OVER_A_BORDER = re.compile(rb"\S |\n[\w\x80-\xff]")  # in the bytes of a token
_MOST_GAPS = 1000  # ids without a token, beside as many as there are tokens
_PROBES = ("Hello,  world!\n\n\tÀé ß 漢字 🙂 a1b2 'tis  <pad>\n", "x\ny z. 1 (2\n3) -")


def parts_of(text: str, size: int = PART) -> Iterator[str]:
    """The text in parts of about `size` characters, cut where words end."""
    start = 0
    while len(text) - start > size:
        border = _BORDER.search(text, start + size)
        if border is None:
            break
        yield text[start : border.start()]
        start = border.start()
    yield text[start:]


def byte_of_letter() -> dict[str, int]:
    """The byte that each letter of a byte-level token stands for (GPT-2): printable ones stand for themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


class Subwords(Vocabulary):
    """The tokens of a tokenizer.json, after the four special ones; those of a file that begins with these four keep
    their ids, and others are moved by four.

    text: the content of the file. pieces: the bytes that each token stands for.
    """

    def __init__(self, text: str, name: str = "tokenizer.json") -> None:
        """Raises DataError, which names the file, if it is no tokenizer, or one whose tokens do not give back the text
        that they were made from."""
        self._tokenizer, settings = _loaded(text, name)
        ids = self._tokenizer.get_vocab(with_added_tokens=True)
        if (highest := max(ids.values(), default=0)) > 2 * len(ids) + _MOST_GAPS:
            what = f"{name} has {len(ids):,} tokens, and one with the id {highest:,}"
            raise DataError(what, "number them without gaps: a network has weights for each id")
        own = [f"<no token {index}>" for index in range(1 + highest)]
        for token, index in ids.items():
            own[index] = token
        self.text, self.first = text, 0 if tuple(own[: len(SPECIALS)]) == SPECIALS else len(SPECIALS)
        super().__init__((*SPECIALS, *own[len(SPECIALS) - self.first :]))
        literal = {str(added["content"]) for added in settings.get("added_tokens") or ()}
        bytes_of = _byte_level(literal) if _is_byte_level(settings) else _with_byte_fallback
        self.pieces = (*[b""] * len(SPECIALS), *map(bytes_of, self.tokens[len(SPECIALS) :]))
        self._check(name)

    @classmethod
    def read(cls, where: str, key: str) -> Subwords:
        """The tokenizer of a user's file; `key` is the setting that named it. Raises DataError."""
        path, shown = expanded(where), f"{key}={where[:200]}"
        if not exists(path):
            raise DataError(f"{shown}: there is no such file", f"char, word, bpe or unigram; or {_FORM}")
        try:
            text = read_plain(path, _MOST_BYTES).decode("utf-8")
        except (OSError, ValueError) as error:
            raise DataError(f"{shown} cannot be read: {error}", f"give {_FORM}") from error
        return cls(text, shown)

    def _check(self, name: str) -> None:
        for probe in _PROBES:
            if (found := self._decoded(self.encode_text(probe))) != probe:
                what = f"{name}: its tokens do not give back their text: {probe[:24]!r} becomes {found[:24]!r}"
                raise DataError(what, _FAITHFUL)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Subwords) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    @cached_property
    def in_parts(self) -> bool:
        """Whether a text that is cut where words end has the same tokens as the whole."""
        return not any(map(_OVER_A_BORDER.search, self.pieces)) and all(
            [*self.encode_text(a), *self.encode_text(b)] == [*self.encode_text(a + b)]
            for a, b in (("x\n", "y"), ("x.\n", "1"), ("1\n", "("), ("x", " y"), (")", " 1"), ("ß", " 漢y\nz"))
        )

    def encode_text(self, text: str) -> Ints:
        """ids_N of a short text."""
        try:
            ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        except (TypeError, UnicodeEncodeError):  # a lone surrogate, which no text in UTF-8 has
            ids = self._tokenizer.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False).ids
        return np.array(ids, dtype=np.int64) + self.first

    def encode_parts(self, text: str) -> Iterator[Ints]:
        """The ids of a text of any length, part by part. Raises DataError if they do not give back the text."""
        parts = parts_of(text) if self.in_parts else iter((text,))
        while batch := list(islice(parts, _BATCH)):
            try:
                found = self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)
                ids = np.array([*chain.from_iterable(part.ids for part in found)], dtype=np.int64) + self.first
            except (TypeError, UnicodeEncodeError):  # as above
                ids = np.concatenate([*map(self.encode_text, batch)])
            self._check_given_back("".join(batch), ids)
            yield ids

    def _check_given_back(self, text: str, ids: Ints) -> None:
        read, there = b"".join(map(self.pieces.__getitem__, ids.tolist())), text.encode("utf-8", "replace")
        if read == there or (self._begins_with_a_space and read == b" " + there):
            return
        found = read.decode("utf-8", "replace").removeprefix(" " * self._begins_with_a_space)
        at = next(
            (at for at, (a, b) in enumerate(zip(text, found, strict=False)) if a != b), min(len(text), len(found))
        )
        start = max(0, at - 8)
        what = f"the tokens do not give back the text: {text[start:][:24]!r} becomes {found[start:][:24]!r}"
        composes = found == normalized(text, "nfc")
        raise DataError(what, "try task.normalize=nfc: the tokenizer composes accents" if composes else _FAITHFUL)

    def split(self, text: str) -> list[str]:
        """The tokens of a text by their names."""
        return [self.tokens[index] for index in self.encode_text(text).tolist()]

    def shown(self, tokens: Iterable[str]) -> tuple[str, ...]:
        """Tokens as people read them."""
        return tuple(self.pieces[self._ids[token]].decode("utf-8", "replace") or token for token in tokens)

    def written(self, ids: Iterable[int], separator: str) -> Iterator[str]:
        """The text of these ids, one after the other; a character that needs several comes with the last of them."""
        decoder = getincrementaldecoder("utf-8")("replace")
        yield from filter(None, (decoder.decode(self.pieces[index]) for index in ids))
        yield from filter(None, [decoder.decode(b"", final=True)])

    def _decoded(self, ids: Iterable[int]) -> str:
        text = b"".join(self.pieces[index] for index in ids).decode("utf-8", "replace")
        return text.removeprefix(" ") if self._begins_with_a_space else text

    @cached_property
    def _begins_with_a_space(self) -> bool:
        """Whether one is put before each text, as by SentencePiece."""
        first = self.encode_text("x").tolist()[:1]
        return bool(first) and self.pieces[first[0]].startswith(b" ")

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The text of these ids up to the first END, as one string."""
        read: list[int] = []
        for index in ids:
            if index == END:
                break
            if index not in (PAD, START, UNKNOWN):
                read.append(index)
        return [self._decoded(read)]

    @cached_property
    def character_counts(self) -> Ints:
        """characters_V: how many characters begin in each token."""
        return np.array([sum(byte & 0xC0 != 0x80 for byte in piece) for piece in self.pieces])

    @cached_property
    def byte_counts(self) -> Ints:
        """bytes_V of each token."""
        return np.array([len(piece) for piece in self.pieces])


_FORM = "the path of a tokenizer.json, as the tokenizers library saves it"
_FAITHFUL = "use a tokenizer of bytes, or one with byte fallback that changes nothing, such as GPT-2's"


def _loaded(text: str, name: str) -> tuple[Tokenizer, dict[str, Any]]:
    # one thread: its threads wait for each other with a loop, which takes a minute on a busy machine
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    what = f"{name} is no tokenizer of the tokenizers library"
    try:
        settings = json.loads(text)
        assert isinstance(settings["model"], dict)
        # what would cut texts, or encode the same text in several ways
        settings |= {"truncation": None, "padding": None}
        settings["model"].pop("dropout", None)
        return Tokenizer.from_str(json.dumps(settings)), settings
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError) as error:
        raise DataError(what, f"give {_FORM}") from error
    except Exception as error:  # the library raises nothing more special
        raise DataError(f"{what}: {str(error)[:120]}", f"give {_FORM}") from error


def _is_byte_level(settings: dict[str, Any]) -> bool:
    decoder = settings.get("decoder") or {}
    stages = decoder.get("decoders") or [decoder]
    return any(stage.get("type") == "ByteLevel" for stage in stages)


def _byte_level(literal: set[str]) -> Any:
    byte_of = byte_of_letter()

    def bytes_of(token: str) -> bytes:
        if token in literal or not all(letter in byte_of for letter in token):
            return token.encode()
        return bytes(byte_of[letter] for letter in token)

    return bytes_of


def _with_byte_fallback(token: str) -> bytes:
    if re.fullmatch(r"<0x[0-9A-F]{2}>", token):
        return bytes([int(token[3:5], 16)])
    return token.replace("\u2581", " ").encode()
