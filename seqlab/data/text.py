"""A text file as one text, or as lines."""

from __future__ import annotations

from pathlib import Path

from seqlab.data.encoding import decode
from seqlab.data.files import CorpusFile, read_file
from seqlab.errors import DataError


def read_text(path: Path, key: str) -> str:
    """The text of a file, plain, .gz or .zip, as UTF-8 or what its byte-order mark says.

    A line ends with LF or CR LF, which becomes LF. A lone CR is a character like others, but in a file without any LF,
    as of an old Macintosh, it ends the line. `key` is the setting that named the file, for messages. Raises DataError
    as read_file and decode, and for a file without text.
    """
    return text_of(read_file(path, key))


def text_of(file: CorpusFile) -> str:
    """The same of a file whose bytes are read."""
    text = decode(file).replace("\r\n", "\n")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    if not text.strip():
        raise DataError(f"{file.setting} is empty", "give a file with text in it")
    return text


def lines_of(text: str) -> list[str]:
    """Its lines, as `wc -l` counts them: nothing but LF ends one, neither a lone CR nor what Unicode calls a separator.
    The last one may lack its end."""
    return text.removesuffix("\n").split("\n")
