"""A text file of any size in pieces that are read one by one and have the tokens of the whole."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from seqlab.data.encoding import converted, offers, without_nul
from seqlab.data.files import CorpusFile, exists, expanded
from seqlab.data.words import Normalization, normalized
from seqlab.errors import DataError

PIECE = 2**23  # bytes
_MARK = b"\xef\xbb\xbf"
# as in data/subwords.py
_BORDER = re.compile(r"(?<=\S\n)(?=\w)|(?<=\S\r\n)(?=\w)|(?<=\S)(?= \w)")
_LOOK = 2**16  # bytes searched for a border at once


@dataclass(frozen=True)
class Piece:
    """Bytes of a file. begin, end: the characters of it that are meant; None: all."""

    start: int
    stop: int
    begin: int = 0
    end: int | None = None


@dataclass(frozen=True)
class TextFile:
    """A UTF-8 text file. old_line_ends: a lone CR ends a line, as in a file without any LF; normalize: as for the
    tasks."""

    path: Path
    normalize: Normalization = "none"
    old_line_ends: bool = False

    def read(self, piece: Piece) -> str:
        """The characters of a piece, as read_text and a task would read them. Raises DataError if it is no text."""
        return normalized(self.raw(piece), self.normalize)[piece.begin : piece.end]

    def raw(self, piece: Piece) -> str:
        """The same before the normalization, whole."""
        with self.path.open("rb") as file:
            file.seek(piece.start)
            data = file.read(piece.stop - piece.start)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            what = f"{self.path} is not UTF-8: byte 0x{data[error.start]:02x} at offset {piece.start + error.start}"
            raise DataError(what, *offers(data, partial(converted, self._as_corpus(data)))) from error
        if "\0" in text:
            what = f"{self.path} is not text: it has a NUL byte at offset {piece.start + data.index(0)}"
            raise DataError(what, f"to drop such bytes: {without_nul(self._as_corpus(data), 'UTF-8')}")
        return text.replace("\r", "\n") if self.old_line_ends else text.replace("\r\n", "\n")

    def _as_corpus(self, data: bytes) -> CorpusFile:
        return CorpusFile(str(self.path), self.path.name, f"cat {shlex.quote(str(self.path))}", data)


def find_text(where: str) -> Path:
    """The path of a plain text file. Raises DataError if it is none."""
    path = expanded(where)
    if not exists(path):
        raise DataError(f"{where[:200]}: there is no such file", "give the path of a UTF-8 text file")
    if not path.is_file():
        raise DataError(f"{where[:200]} is not a regular file", "give the path of a UTF-8 text file")
    if path.suffix.lower() in (".gz", ".zip", ".xz", ".bz2"):
        raise DataError(
            f"{where[:200]} is compressed, and is read at many places",
            f"unpack it first: gunzip -k {shlex.quote(str(path))}",
        )
    return path


def pieces_of(path: Path, size: int = PIECE) -> tuple[list[Piece], int, bool]:
    """(the pieces of a file, the bytes of its text, whether a lone CR ends a line). The text has LF for CR LF, and no
    byte-order mark."""
    pieces, lines, pairs = [], 0, 0
    whole = path.stat().st_size
    with path.open("rb") as file:
        mark = len(_MARK) if file.read(len(_MARK)) == _MARK else 0
        start = mark
        while start < whole:
            stop = _border(path, min(whole, start + size), whole)
            file.seek(start)
            data = file.read(stop - start)
            lines, pairs = lines + data.count(b"\n"), pairs + data.count(b"\r\n")
            pieces.append(Piece(start, stop))
            start = stop
    return pieces, whole - mark - pairs, lines == 0


def _border(path: Path, near: int, whole: int) -> int:
    """The first place from `near` on where a file can be cut; its end if there is none."""
    with path.open("rb") as file:
        for start in range(near, whole, _LOOK):
            file.seek(max(0, start - 8))  # what stands before, so that a border at `start` is found
            data = file.read(_LOOK + 16)
            skipped = next((at for at in range(min(4, len(data))) if data[at] & 0xC0 != 0x80), 0)
            text = data[skipped:].decode("utf-8", "replace")
            for border in _BORDER.finditer(text):
                at = max(0, start - 8) + skipped + len(text[: border.start()].encode())
                if at >= start and border.start() < len(text) - 8:  # the last characters may be cut themselves
                    return at
    return whole


def digest_of(*texts: tuple[Iterable[str], int]) -> str:
    """sha256_of texts that come in pieces, each with the number of its bytes."""
    digest = hashlib.sha256()
    for pieces, length in texts:
        digest.update(length.to_bytes(8, "big"))
        for piece in pieces:
            digest.update(piece.encode())
    return digest.hexdigest()
