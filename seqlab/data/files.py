"""Finding a user's own files and reading their bytes, plain or compressed, with errors that say what is wrong."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import shlex
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from seqlab.errors import DataError, likely_name

MOST_BYTES = 2**30
_PIECE = 2**20
_NOT_TEXT = {
    ".xlsx": "an Excel workbook", ".xls": "an Excel workbook", ".ods": "a spreadsheet", ".parquet": "a Parquet file",
    ".docx": "a Word document", ".pdf": "a PDF document",
}  # fmt: skip


@dataclass(frozen=True)
class CorpusFile:
    """The content of a file. setting: the setting that named it, as `key=path`, for messages; name: the name of the
    content, without .gz or .zip; unpack: the shell command that writes the content to stdout."""

    setting: str
    name: str
    unpack: str
    raw: bytes


def sha256_of(parts: Iterable[str | bytes]) -> str:
    """Digest of texts in order, which also depends on where each text ends."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(sum(map(len, _pieces(part))).to_bytes(8, "big"))
        for piece in _pieces(part):
            digest.update(piece)
    return digest.hexdigest()


def _pieces(part: str | bytes) -> Iterator[bytes]:
    """The bytes of a text, some at a time, rather than a second copy of it."""
    if isinstance(part, bytes):
        yield part
        return
    for start in range(0, len(part), _PIECE):
        yield part[start : start + _PIECE].encode()


def find_corpus(name: str, key: str, corpora: Iterable[str], form: str) -> Path:
    """The path of the file that a setting names, with `~` expanded. Raises DataError if it is neither a corpus nor a
    file; `form` says what the file should be."""
    path, corpora = expanded(name), list(corpora)
    if name.strip() and exists(path):
        return path
    if "/" in name or "\\" in name:
        raise DataError(f"{key}={name[:200]}: there is no such file", f"give the path of {form}")
    near = likely_name(name, corpora)
    raise DataError(
        f"{key}={name[:100]} is neither a corpus nor a file",
        f"did you mean {key}={near}?" if near else f"give the path of {form}",
        f"corpora: {', '.join(corpora)}" + (f"; or the path of {form}" if near else ""),
    )


def expanded(path: str | Path) -> Path:
    """With `~` replaced by the user's home folder and `~name` by that user's; other names (`~$notes.csv`) unchanged."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def exists(path: Path) -> bool:
    """Whether the file exists; False, without an error, for a name that no file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, a folder that may not be searched, a NUL character
        return False


def read_file(path: Path, key: str) -> CorpusFile:
    """The bytes of a file: plain, .gz, or the one file in a .zip.

    `key` is the setting that named it. Raises DataError if it is missing, not a regular file, damaged, of a type that
    holds no plain text, larger than MOST_BYTES (uncompressed), or an archive of several files.
    """
    shown = f"{key}={str(path)[:200]}"
    if not exists(path):
        raise DataError(f"{shown}: there is no such file", "give the path of a UTF-8 text file")
    if path.is_dir():
        raise DataError(f"{shown} is a folder", "give the path of one file")
    if not path.is_file():  # a device or a pipe could go on for ever
        raise DataError(f"{shown} is not a regular file", "write its output to a file first")
    if (ending := path.suffix.lower()) in _NOT_TEXT:
        raise DataError(f"{shown} is {_NOT_TEXT[ending]}, not plain text", "save it as CSV in UTF-8, or as text")
    name, unpack, raw = path.name, f"cat {shlex.quote(str(path))}", None
    try:
        if path.stat().st_size <= MOST_BYTES:
            if ending == ".zip":
                name, raw = _unzip(path, shown)
                unpack = f"unzip -p {shlex.quote(str(path))}"
            elif ending == ".gz":
                name, unpack = path.stem, f"gunzip -c {shlex.quote(str(path))}"
                with gzip.open(path) as file:
                    raw = _read_at_most(file, MOST_BYTES)
            else:
                raw = path.read_bytes()  # in one piece: parts would have to be joined, in twice the memory
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(f"{shown} cannot be read: {error}") from error
    if raw is None:
        raise DataError(
            f"{shown} is larger than {MOST_BYTES / 1e6:,.0f} MB, and a corpus is read into memory whole",
            f"use a part of it, for example: head -c 500M {path.name} > part.txt",
        )
    return CorpusFile(shown, name, unpack, raw)


def _unzip(path: Path, shown: str) -> tuple[str, bytes | None]:
    """(name, content) of the one file in an archive, read in memory: nothing is written to disk."""
    with zipfile.ZipFile(path) as archive:
        # macOS adds a metadata file for each file
        members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
        if len(members) != 1:
            names = ", ".join(member.filename[:40] for member in members[:10])
            raise DataError(
                f"{shown} contains {len(members)} files, and a corpus must be one file",
                f"unpack it and name one: unzip {shlex.quote(str(path))}",
                f"in it: {names}" if names else "",
            )
        if members[0].flag_bits & 1:
            raise DataError(f"{shown} is protected by a password", f"unpack it first: unzip {shlex.quote(str(path))}")
        with archive.open(members[0]) as file:
            return PurePosixPath(members[0].filename).name, _read_at_most(file, MOST_BYTES)


def _read_at_most(file: IO[bytes] | gzip.GzipFile, most: int) -> bytes | None:
    """The whole content, or None if there is more than `most`: a small compressed file can be huge."""
    parts: list[bytes] = []
    while part := file.read(2**20):
        parts.append(part)
        if len(parts) * 2**20 > most + 2**20:
            return None
    raw = b"".join(parts)
    return raw if len(raw) <= most else None
