"""Taking named files out of a zip or a gzipped tar archive. Nothing else in it is unpacked, whatever it says."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from seqlab.data.known_file import KnownFile
from seqlab.errors import DataError

_MOST_BYTES = 2**30
"""Of one file, if its size is not known."""
_MOST_TAR_BYTES = 2**33
"""Of a tar archive, unpacked: it has to be read up to the last file that is looked for."""
_DAMAGES = (
    zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error, NotImplementedError,
    ValueError,
    OSError,  # a position outside the file
    RuntimeError,  # a password is needed
)  # fmt: skip


class Unusable(Exception):
    """A file that could not be had, or that is not what it should be. The message says why, without a subject."""


class Unwritable(Exception):
    """A folder cannot be written; cause says why."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def unpack(archive: Path, members: Sequence[KnownFile], folder: Path, *, what: str = "archive") -> list[Path]:
    """Write these files of an archive into a folder, each under its bare name and checked. what: the kind of archive,
    for messages. Raises Unusable; Unwritable; OSError if the archive cannot be opened."""
    if not stat.S_ISREG(archive.stat().st_mode):
        raise Unusable(f"{archive.name} is not a regular file")
    with archive.open("rb") as file:
        try:
            if file.read(2) == b"\x1f\x8b":
                return _untarred(file, archive.name, members, folder)
            return _unzipped(file, archive.name, members, folder)
        except Unwritable:
            raise
        except _DAMAGES as error:
            raise Unusable(f"{archive.name} is damaged, or no {what}: {error}") from error


def _unzipped(file: IO[bytes], name: str, members: Sequence[KnownFile], folder: Path) -> list[Path]:
    paths = []
    with zipfile.ZipFile(file) as archive:
        for member in members:
            try:
                info = archive.getinfo(member.path)
            except KeyError:
                raise _lacking(name, (member,)) from None
            _check_size(member, info.file_size, name)
            with archive.open(info) as content:
                paths.append(_written(content, member, name, folder))
    return paths


def _untarred(file: IO[bytes], name: str, members: Sequence[KnownFile], folder: Path) -> list[Path]:
    wanted, paths = {member.path: member for member in members}, {}
    file.seek(0)
    with gzip.open(file) as whole, tarfile.open(fileobj=_Capped(whole), mode="r|") as archive:
        for info in archive:  # a link is no regular file
            member = wanted.get(info.name.removeprefix("./"))
            if member is None or member in paths or not info.isreg():
                continue
            _check_size(member, info.size, name)
            content = archive.extractfile(info)
            assert content is not None
            paths[member] = _written(content, member, name, folder)
            if len(paths) == len(members):
                break
    if missing := [member for member in members if member not in paths]:
        raise _lacking(name, missing)
    return [paths[member] for member in members]


def _lacking(name: str, missing: Sequence[KnownFile]) -> Unusable:
    return Unusable(f"{name} has no file {', '.join(member.path for member in missing)}")


def _check_size(member: KnownFile, size: int, name: str) -> None:
    if member.sizes and size not in member.sizes:
        raise Unusable(f"{member.path} in {name} has {size:,} bytes instead of {member.size:,}")
    if size > _MOST_BYTES:
        raise Unusable(f"{member.path} in {name} is larger than {_MOST_BYTES / 1e6:,.0f} MB")


def _written(content: IO[bytes], member: KnownFile, name: str, folder: Path) -> Path:
    """A file in the folder with this content, whatever size its header gives. If it is not the expected one, there is
    no file."""
    path, left = folder / member.name, max(member.sizes, default=_MOST_BYTES)
    try:
        with path.open("wb") as file:
            while part := _part(content):
                left -= len(part)
                if left < 0:
                    raise Unusable(f"{member.path} in {name} is larger than it should be")
                file.write(part)
        if (flaw := member.flaw(path)) is not None:
            raise Unusable(f"{member.path} in {name} {flaw}")
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):  # of the folder, also where a full disk is noticed late, on closing
            raise Unwritable(error) from error
        raise
    return path


def _part(content: IO[bytes]) -> bytes:
    """The next bytes, with errors that are the archive's own."""
    try:
        return content.read(2**16)
    except OSError as error:
        raise zipfile.BadZipFile(str(error)) from error


class _Capped(io.RawIOBase):
    """A stream that ends with an error where a small archive unpacks to too much."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._stream, self._left = stream, _MOST_TAR_BYTES

    def read(self, size: int = -1) -> bytes:
        part = self._stream.read(size)
        self._left -= len(part)
        if self._left < 0:
            raise Unusable("it unpacks to more than it should")
        return part


def texts_in(archive: Path, names: re.Pattern[str], most: int) -> dict[str, str]:
    """The UTF-8 texts of contents_in(), by name."""
    return {found.string: content.decode("utf-8", "replace") for found, content in contents_in(archive, names, most)}


def contents_in(archive: Path, names: re.Pattern[str], most: int) -> Iterator[tuple[re.Match[str], bytes]]:
    """(the match of its name, the content) of each file in a gzipped tar archive whose whole name matches, in the order
    of the archive; nothing is written. Raises DataError if there are more than `most`, if one is larger than 1 MB, or
    if the archive is damaged."""
    count = 0
    try:
        with gzip.open(archive) as whole, tarfile.open(fileobj=_Capped(whole), mode="r|") as files:
            for info in files:
                found = names.fullmatch(info.name)
                if found is None or not info.isreg():
                    continue
                count += 1
                if info.size > 2**20 or count > most:
                    raise Unusable(f"it has more, or larger, files than it should: {info.name}")
                content = files.extractfile(info)
                assert content is not None
                yield found, content.read(2**20)
    except (*_DAMAGES, Unusable) as error:
        raise DataError(f"{archive} cannot be read: {error}", "is it another archive than the corpus' own?") from error
