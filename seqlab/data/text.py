"""Reading a text file as one text or as lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from seqlab.data.encoding import decode
from seqlab.data.files import CorpusFile, read_file
from seqlab.errors import DataError


def read_text(path: Path, key: str) -> str:
    """The text of a file (plain, .gz or .zip), decoded as UTF-8 or as its byte-order mark says.

    A line ends with LF or CR LF, which becomes LF. A lone CR is an ordinary character, but ends a line in a file
    without any LF, as old Macintoshes wrote it. `key` is the setting that named the file, for messages. Raises
    DataError as read_file and decode do, and for a file without text.
    """
    return text_of(read_file(path, key))


def text_of(file: CorpusFile) -> str:
    """The same for a file whose bytes have been read."""
    text = decode(file).replace("\r\n", "\n")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    if not text or text.isspace():
        raise DataError(f"{file.setting} is empty", "give a file with text in it")
    return text


def lines_of(text: str) -> list[str]:
    """Its lines, as `wc -l` counts them: only LF ends a line, not a lone CR or a Unicode line separator. The last line
    need not end with LF."""
    return text.removesuffix("\n").split("\n")


def middle_of(text: str, length: int) -> str:
    """`length` characters from the middle of a text, starting at the beginning of a line."""
    start = max(0, (len(text) - length) // 2)
    return text[1 + text.rfind("\n", 0, start) :][:length]


def collapsed(pairs: Iterable[Sequence[str]]) -> list[tuple[str, str]]:
    """The pairs with white space collapsed."""
    return [(" ".join(a.split()), " ".join(b.split())) for a, b in pairs]
