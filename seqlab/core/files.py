"""Atomic writes, and reading of files that may be damaged or hostile."""

from __future__ import annotations

import json
import math
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from seqlab.errors import ResourceError

_DEEPEST_JSON = 50  # levels


def read_plain(path: Path, most: int) -> bytes:
    """Read a regular file, never a link, device or pipe. Raises OSError; ValueError for more than `most` bytes."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError(f"{path.name} is not a regular file")
        if facts.st_size > most:
            raise ValueError(f"{path.name} has {facts.st_size:,} bytes and should have {most:,} at most")
        return file.read()


def read_json(path: Path, most: int = 8_000_000) -> Any:
    """Read a small JSON file. Raises OSError or ValueError."""
    return parse_json(read_plain(path, most))


def parse_json(data: bytes) -> Any:
    """Parse JSON of bounded depth, so that walking through it cannot overflow the stack. Raises ValueError."""
    try:
        content = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    level = [content]
    for _ in range(_DEEPEST_JSON):
        level = [
            inner
            for node in level
            if isinstance(node, dict | list)
            for inner in (node.values() if isinstance(node, dict) else node)
        ]
    if level:
        raise ValueError("it is nested too deeply")
    return content


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, as write_text does."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as write_bytes does."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes, *, shared: bool = False) -> None:
    """Write a file atomically: neither a full disk nor a kill leaves half of it. shared: other processes, also of other
    machines, may write the same file at the same time; the last one wins."""
    with _replacing(path, shared=shared) as file:
        file.write(data)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file atomically, as write_bytes does with `shared`, whatever its size."""
    with source.open("rb") as original, _replacing(target, shared=True) as file:
        shutil.copyfileobj(original, file, 2**20)


@contextmanager
def _replacing(path: Path, *, shared: bool) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of `path` once all of it is on the disk."""
    temporary = path.with_name(f".{path.name}" + (f".{os.urandom(4).hex()}" if shared else ""))
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def writable(folder: Path, hint: str) -> Path:
    """The folder, created if needed and checked to be writable before any work is done. Raises ResourceError with this
    hint."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ResourceError(f"cannot write into {folder}: {error.strerror}", hint) from error
    return folder


def discard(folder: Path) -> None:
    """Remove a folder, renamed first, so that a kill half-way leaves nothing that looks like a checkpoint or a run.
    Links in it are not followed."""
    trash = folder.with_name(f".trash-{folder.name}-{os.getpid()}")
    folder.rename(trash)
    shutil.rmtree(trash)


def flush(path: Path) -> None:
    """fsync a file or a folder."""
    if os.name == "nt":  # Windows cannot open folders, nor fsync a file that is open for reading
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def finite(value: Any) -> Any:
    """The value with None for numbers that are not finite: JSON has neither NaN nor Infinity."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number_or_nan(value: float | None) -> float:
    """A number read from JSON, with nan for null, which stands for a number that was not finite."""
    return math.nan if value is None else float(value)
