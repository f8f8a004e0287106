"""Finding a user's own files and reading their bytes, plain or packed, with errors that say what is wrong."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import shlex
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from seqlab.errors import DataError, likely_name

MOST_BYTES = 2**30
_NOT_TEXT = {
    ".xlsx": "an Excel workbook", ".xls": "an Excel workbook", ".ods": "a spreadsheet", ".parquet": "a Parquet file",
    ".docx": "a Word document", ".pdf": "a PDF document",
}  # fmt: skip


@dataclass(frozen=True)
class CorpusFile:
    """What a file holds. setting: the setting that named it, as `key=path`, for messages; name: what the content is
    called, without the ending of its packing; unpack: the shell's command that writes the content to stdout."""

    setting: str
    name: str
    unpack: str
    raw: bytes


def sha256_of(parts: Iterable[str | bytes]) -> str:
    """Digest of texts in order; their borders count."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def find_corpus(name: str, key: str, corpora: Iterable[str], form: str) -> Path:
    """The path of the file that a setting names, `~` expanded. Raises DataError for a word that is neither a corpus nor
    a file; `form` says what the file should be."""
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
    """With `~` as the user's home, and `~name` as that user's; a name that only begins so (`~$notes.csv`) is a name."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def exists(path: Path) -> bool:
    """Whether there is such a file; a name that no system can have is none."""
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, a folder that may not be searched, a NUL character
        return False


def read_file(path: Path, key: str) -> CorpusFile:
    """The bytes of a file: plain, .gz, or the one file in a .zip.

    `key` is the setting that named it. Raises DataError if it is missing, no plain file, damaged, of a kind that holds
    no plain text, larger than MOST_BYTES (unpacked), or an archive of several files.
    """
    shown = f"{key}={str(path)[:200]}"
    if not exists(path):
        raise DataError(f"{shown}: there is no such file", "give the path of a UTF-8 text file")
    if path.is_dir():
        raise DataError(f"{shown} is a folder", "give the path of one file")
    if not path.is_file():  # a device or a pipe could go on for ever
        raise DataError(f"{shown} is no plain file", "write what it gives to a file first")
    if (ending := path.suffix.lower()) in _NOT_TEXT:
        raise DataError(
            f"{shown} is {_NOT_TEXT[ending]}, and plain text is read", "save it as CSV in UTF-8, or as text"
        )
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
                with path.open("rb") as file:
                    raw = _read_at_most(file, MOST_BYTES)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(f"{shown} cannot be read: {error}") from error
    if raw is None:
        raise DataError(
            f"{shown} holds more than {MOST_BYTES / 1e6:,.0f} MB, and a corpus is read whole",
            f"cut it, for example: head -c 500M {path.name} > part.txt",
        )
    return CorpusFile(shown, name, unpack, raw)


def _unzip(path: Path, shown: str) -> tuple[str, bytes | None]:
    """(name, content) of the one file in an archive, read where it lies: nothing is written anywhere."""
    with zipfile.ZipFile(path) as archive:
        # what macOS adds beside each file is no content
        members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
        if len(members) != 1:
            names = ", ".join(member.filename[:40] for member in members[:10])
            raise DataError(
                f"{shown} holds {len(members)} files, and one corpus is one file",
                f"unpack it and name one: unzip {shlex.quote(str(path))}",
                f"in it: {names}" if names else "",
            )
        if members[0].flag_bits & 1:
            raise DataError(f"{shown} is locked by a password", f"unpack it first: unzip {shlex.quote(str(path))}")
        with archive.open(members[0]) as file:
            return PurePosixPath(members[0].filename).name, _read_at_most(file, MOST_BYTES)


def _read_at_most(file: IO[bytes] | gzip.GzipFile, most: int) -> bytes | None:
    """All of it, or None if there is more: a small packed file can hold a great deal."""
    parts: list[bytes] = []
    while part := file.read(2**20):
        parts.append(part)
        if len(parts) * 2**20 > most + 2**20:
            return None
    raw = b"".join(parts)
    return raw if len(raw) <= most else None
