"""Reading a user's own text files, with errors that say where they are wrong."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterable
from pathlib import Path

from seqlab.errors import DataError

MOST_BYTES = 2**30
csv.field_size_limit(MOST_BYTES)  # a long text is cut and counted later, not refused


def sha256_of(parts: Iterable[str | bytes]) -> str:
    """Digest of texts in order; their borders count."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def find_corpus(name: str, key: str, corpora: Iterable[str], form: str) -> Path:
    """The path that a setting names, `~` expanded. Raises DataError for a word that is neither a corpus nor
    a file; `form` says what the file should be."""
    path = Path(name).expanduser()
    if not name.strip() or ("/" not in name and "\\" not in name and not _exists(path)):
        what = f"{key}={name[:100]} is neither a corpus nor a file"
        raise DataError(what, f"give the path of {form}", f"corpora: {', '.join(corpora)}")
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, a folder that may not be searched, a NUL character
        return False


def read_text(path: Path, key: str) -> str:
    """A UTF-8 text file, plain or .gz, with any line ends and an optional byte-order mark.

    `key` is the setting that named it, for messages. Raises DataError if it is missing, no plain file, larger than
    MOST_BYTES, empty, or no text: not UTF-8, or with a NUL byte (with the offset of the first wrong byte).
    """
    shown = f"{key}={str(path)[:200]}"
    if not _exists(path):
        raise DataError(f"{shown}: there is no such file", "give the path of a UTF-8 text file")
    if path.is_dir():
        raise DataError(f"{shown} is a folder", "give the path of one file")
    if not path.is_file():  # a device or a pipe could go on for ever
        raise DataError(f"{shown} is no plain file", "write what it gives to a file first")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = _read_at_most(file, MOST_BYTES) if path.stat().st_size <= MOST_BYTES else None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{shown} cannot be read: {error}") from error
    if raw is None:
        raise DataError(
            f"{shown} holds more than {MOST_BYTES / 1e6:,.0f} MB, and a corpus is read whole",
            f"cut it, for example: head -c 500M {path.name} > part.txt",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{shown} is not UTF-8: byte 0x{raw[error.start]:02x} at offset {error.start}",
            f"convert it, for example: iconv -f {_likely_encoding(raw)} -t UTF-8 {path.name}",
        ) from error
    if "\0" in text:
        raise DataError(
            f"{shown} is no text: it has a NUL byte at offset {raw.index(0)}",
            f"convert it, for example: iconv -f {_likely_encoding(raw)} -t UTF-8 {path.name}",
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise DataError(f"{shown} is empty", "give a file with text in it")
    return text


def _read_at_most(file: io.BufferedIOBase, most: int) -> bytes | None:
    """All of it, or None if there is more: a small .gz can hold a great deal."""
    parts: list[bytes] = []
    while part := file.read(2**20):
        parts.append(part)
        if len(parts) * 2**20 > most + 2**20:
            return None
    raw = b"".join(parts)
    return raw if len(raw) <= most else None


def _likely_encoding(raw: bytes) -> str:
    """UTF-16 has a mark at its start or a NUL in every other byte of Latin text; else it is some 8-bit encoding."""
    wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff") or raw[:1000].count(0) > len(raw[:1000]) // 4
    return "UTF-16" if wide else "WINDOWS-1252"


def read_table(path: Path, key: str) -> list[tuple[int, list[str]]]:
    """(line number, fields) of each row of a CSV file, or of a TSV file where the name ends in .tsv; empty
    rows are left out."""
    text = read_text(path, key)
    if ".tsv" in path.suffixes:
        return [(n, line.split("\t")) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        return [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise DataError(
            f"{key}={path} is no CSV table: {error}", "quote fields that hold commas or line ends"
        ) from error


def read_labelled(path: Path, text_column: str, label_column: str, setting: str) -> list[tuple[str, str]]:
    """(text, label) of each row of a table whose header names the two columns (task.text_column and
    task.label_column). `setting` is what named it, for messages. Raises DataError for a missing column and, with its
    number, a row without a label."""
    (_, titles), *rows = read_table(path, setting)
    header = [title.strip() for title in titles]
    columns: list[int] = []
    for key, name in (("text_column", text_column), ("label_column", label_column)):
        if name not in header:
            raise DataError(
                f"{setting}={path} has no column {name!r}", f"try task.{key}=NAME", f"columns: {', '.join(header)}"
            )
        columns.append(header.index(name))
    text, label = columns
    for number, row in rows:
        for what, column in (("label", label), ("text", text)):
            if len(row) <= column or not row[column].strip():
                raise DataError(f"{setting}={path}: row {number} has no {what}", "give every row a text and a label")
    return [(row[text], row[label].strip()) for _, row in rows]
