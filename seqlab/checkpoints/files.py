"""The files of one checkpoint: tensors as safetensors, everything else as JSON, and a manifest of both. No pickle.

A checkpoint is a folder with tensors.safetensors, state.json and MANIFEST.json (size and sha256 of the other two). It
appears whole or not at all: it is written under another name, flushed to the disk and renamed. Neither torch nor
safetensors notices a flipped bit in a weight; the hash does.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from seqlab.core.files import flush, parse_json, read_plain
from seqlab.errors import CheckpointError

FORMAT = 3  # format 2 kept only one metric of the best validation
_OLDEST_FORMAT = 2
MANIFEST, TENSORS, STATE = "MANIFEST.json", "tensors.safetensors", "state.json"
_MOST_MANIFEST_BYTES, _MOST_STATE_BYTES = 10_000, 64_000_000


class DamagedError(CheckpointError):
    """The files of a checkpoint are not what was written. Another checkpoint may be undamaged."""


def write_checkpoint(folder: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> int:
    """Write a checkpoint of `FORMAT`, replacing one that exists already. Returns its size in bytes.

    Raises OSError where it cannot be written, and then leaves nothing behind.
    """
    contents = {
        TENSORS: safetensors.torch.save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}),
        STATE: _encode({"format": FORMAT, **state}),
    }
    facts = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in contents.items()}
    contents[MANIFEST] = _encode({"files": facts})
    temporary, displaced = folder.parent / f".tmp-{os.getpid()}", folder.parent / f".old-{folder.name}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        for name, data in contents.items():
            _write(temporary / name, data)
        flush(temporary)
        if folder.exists():
            folder.rename(displaced)  # sweep() restores it if the process is killed here
        temporary.rename(folder)
        flush(folder.parent)
    except BaseException:
        if displaced.exists() and not folder.exists():
            displaced.rename(folder)
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(displaced, ignore_errors=True)
    return sum(len(data) for data in contents.values())


def sweep(parent: Path) -> None:
    """Clean up what a killed process left among the checkpoints of `parent`. The caller must hold the run's lock."""
    for old in parent.glob(".old-*"):
        place = parent / old.name.removeprefix(".old-")
        if place.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(place)
    for left in (*parent.glob(".tmp-*"), *parent.glob(".trash-*")):
        shutil.rmtree(left, ignore_errors=True)


def read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, state) of a checkpoint whose sizes and hashes are right.

    Raises DamagedError if they are not, CheckpointError if there is none or a newer seqlab wrote it.
    """
    if folder.exists() and not folder.is_dir():
        raise _damaged(folder, "it is not a folder")
    if not folder.is_dir():
        raise CheckpointError(f"there is no checkpoint at {folder}", "is this the folder of a run?")
    if not (folder / MANIFEST).is_file():
        raise _damaged(folder, f"{MANIFEST} is missing")
    raw = _read(folder, MANIFEST, _MOST_MANIFEST_BYTES)
    facts = _decode(folder, MANIFEST, raw)
    # the same facts are always written the same way: without this a flipped bit in a space would go unnoticed
    if not _is_manifest(facts) or _encode(facts) != raw:
        raise _damaged(folder, f"{MANIFEST} is not as it was written")
    contents: dict[str, bytes] = {}
    for name in (STATE, TENSORS):
        size, digest = facts["files"][name]["bytes"], facts["files"][name]["sha256"]
        contents[name] = _read(folder, name, min(size, _MOST_STATE_BYTES) if name == STATE else size)
        if len(contents[name]) != size:
            raise _damaged(folder, f"{name} has {len(contents[name]):,} bytes and should have {size:,}")
        if hashlib.sha256(contents[name]).hexdigest() != digest:
            raise _damaged(folder, f"{name} is not as it was written (sha256)")
    return _tensors(folder, contents[TENSORS]), _checked_format(folder, _decode(folder, STATE, contents[STATE]))


def _checked_format(folder: Path, state: Any) -> dict[str, Any]:
    found = state.get("format") if isinstance(state, dict) else None
    if type(found) is not int or found < _OLDEST_FORMAT:
        raise _damaged(folder, f"{STATE} names no known format")
    if found > FORMAT:
        raise CheckpointError(
            f"the checkpoint at {folder} was written by a newer seqlab (format {found}; this one reads up to {FORMAT})",
            "try: pip install --upgrade seqlab",
        )
    return dict(state)


def _is_manifest(facts: Any) -> bool:
    files = facts.get("files") if isinstance(facts, dict) and len(facts) == 1 else None
    return (
        isinstance(files, dict)
        and files.keys() == {TENSORS, STATE}
        and all(isinstance(f, dict) and f.keys() == {"bytes", "sha256"} for f in files.values())
        and all(type(f["bytes"]) is int and f["bytes"] >= 0 and isinstance(f["sha256"], str) for f in files.values())
    )


def _tensors(folder: Path, data: bytes) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, ValueError, KeyError, RuntimeError, OverflowError, MemoryError) as error:
        raise _damaged(folder, f"{TENSORS} cannot be read: {str(error)[:120]}") from error


def _damaged(folder: Path, how: str) -> DamagedError:
    return DamagedError(f"the checkpoint at {folder} is damaged: {how}")


def _encode(content: Any) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=True) + "\n").encode()


def _decode(folder: Path, name: str, data: bytes) -> Any:
    try:
        return parse_json(data)
    except ValueError as error:
        raise _damaged(folder, f"{name} is not JSON: {str(error)[:120]}") from error


def _read(folder: Path, name: str, most: int) -> bytes:
    try:
        return read_plain(folder / name, min(most, _memory()))
    except OSError as error:
        raise _damaged(folder, f"{name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _damaged(folder, str(error)) from error


def _memory() -> int:
    """The bytes of memory of this machine: no larger file is read, whatever the manifest says."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**62


def _write(path: Path, data: bytes) -> None:
    """Write unbuffered, so that a full disk is noticed here, and flush."""
    with path.open("wb", buffering=0) as file:
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
