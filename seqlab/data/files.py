"""Reading a user's own text files, with errors that say where they are wrong."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

from seqlab.errors import DataError


def sha256_of(parts: Iterable[str | bytes]) -> str:
    """Digest of texts in order; their borders count."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def read_text(path: Path, key: str) -> str:
    """A UTF-8 text file, plain or .gz, with any line ends and an optional byte-order mark.

    `key` is the setting that named it, for messages. Raises DataError if it is missing, no file, empty
    or not UTF-8 (with the offset of the first wrong byte).
    """
    if not path.exists():
        raise DataError(f"{key}={path}: there is no such file", "give the path of a UTF-8 text file")
    if path.is_dir():
        raise DataError(f"{key}={path} is a folder", "give the path of one file")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise DataError(f"{key}={path} cannot be read: {error}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{key}={path} is not UTF-8: byte 0x{raw[error.start]:02x} at offset {error.start}",
            f"convert it, for example: iconv -f WINDOWS-1252 -t UTF-8 {path.name}",
        ) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise DataError(f"{key}={path} is empty", "give a file with text in it")
    return text


def read_table(path: Path, key: str) -> list[list[str]]:
    """The rows of a CSV file, or of a TSV file where the name ends in .tsv; empty rows are left out."""
    text = read_text(path, key)
    if ".tsv" in path.suffixes:
        return [line.split("\t") for line in text.split("\n") if line.strip()]
    try:
        return [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error as error:
        raise DataError(
            f"{key}={path} is no CSV table: {error}", "quote fields that hold commas or line ends"
        ) from error


def read_labelled(path: Path, text_column: str, label_column: str) -> list[tuple[str, str]]:
    """(text, label) of each row of a table whose header names the two columns (task.text_column and
    task.label_column). Raises DataError for a missing column and, with its number, a row without a label."""
    header, *rows = read_table(path, "task.corpus")
    columns: list[int] = []
    for key, name in (("text_column", text_column), ("label_column", label_column)):
        if name not in header:
            raise DataError(
                f"task.corpus={path} has no column {name!r}", f"try task.{key}=NAME", f"columns: {', '.join(header)}"
            )
        columns.append(header.index(name))
    text, label = columns
    for number, row in enumerate(rows, start=2):
        if len(row) <= max(columns) or not row[label].strip():
            raise DataError(f"task.corpus={path}: row {number} has no label", "give every row a text and a label")
    return [(row[text], row[label].strip()) for row in rows]
