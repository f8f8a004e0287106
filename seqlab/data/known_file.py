"""Files that are known by what is in them."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seqlab.core.files import write_bytes

_RECORD = ".sha256"


@dataclass(frozen=True)
class KnownFile:
    """A file of a corpus.

    path: in its archive, or its name. size: in bytes; None if it is not published. hash: its sha256, or `md5:` or
    `sha1:` and that if no sha256 is published; None if nothing is: then the sha256 is recorded beside the file on first
    use. others: (size, sha256) of other forms of it that serve as well.
    """

    path: str
    size: int | None = None
    hash: str | None = None
    others: tuple[tuple[int, str], ...] = ()

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]

    @property
    def kind(self) -> str:
        """The kind of its hash."""
        return self.hash.rpartition(":")[0] or "sha256" if self.hash else "sha256"

    @property
    def sizes(self) -> set[int]:
        """The sizes that it may have; none if that is not known."""
        return set() if self.size is None else {self.size, *(size for size, _ in self.others)}

    def flaw(self, path: Path) -> str | None:
        """What is wrong with the file at `path` as the end of a sentence; None if it has the content. A link to a file
        is followed; a device or a pipe is never read. Raises OSError."""
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                return "is not a regular file"
            known = self._known(path)
            if self.sizes and facts.st_size not in self.sizes:
                return f"has {facts.st_size:,} bytes instead of {self.size:,}"
            for size, wanted in known:
                kind, _, digest = wanted.rpartition(":")
                if not wanted or size not in (None, facts.st_size):
                    continue
                file.seek(0)
                if hashlib.file_digest(file, kind or "sha256").hexdigest() == digest:
                    return None
            return f"does not have the expected {self.kind}" if any(wanted for _, wanted in known) else None

    def is_content(self, path: Path) -> bool:
        """Whether the file at `path` is there and has the content."""
        try:
            return self.flaw(path) is None
        except OSError:
            return False

    def is_checked(self, path: Path) -> bool:
        """Whether there is a hash to compare the file at `path` with."""
        return any(wanted for _, wanted in self._known(path))

    def record(self, path: Path) -> None:
        """Write the sha256 of the file at `path` beside it, if no hash is published. A folder that cannot be written is
        left as it is."""
        if self.hash is None:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            with suppress(OSError):
                write_bytes(self.record_of(path), f"{digest}  {path.name}\n".encode(), shared=True)

    @staticmethod
    def record_of(path: Path) -> Path:
        """Where the sha256 of the file at `path` is recorded, in the form that `sha256sum -c` reads."""
        return path.with_name(path.name + _RECORD)

    def _known(self, path: Path) -> list[tuple[int | None, str]]:
        """(size, hash) of each form that serves. The hash is "" if none is published or recorded."""
        if self.hash is not None:
            return [(self.size, self.hash), *self.others]
        try:
            return [(self.size, self.record_of(path).read_text(encoding="ascii")[:64])]
        except (OSError, ValueError):
            return [(self.size, "")]
