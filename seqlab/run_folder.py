"""A run's folder: how it is made, and the files that say what ran and where."""

from __future__ import annotations

import json
import math
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from seqlab.errors import CheckpointError, ConfigError, ResourceError
from seqlab.run_name import check_run_name

_DEEPEST_JSON = 50


def make_run_folder(parent: Path, stem: str, name: str | None) -> Path:
    """A new folder parent/<stem>[-<n>], or parent/<name>. Two starts never share one.

    Raises ConfigError for a name that exists or that no run may have, ResourceError where it cannot be made.
    """
    if name is not None:
        check_run_name(name)
    stem = name or stem
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, 10_000):
            folder = parent / (stem if attempt == 1 else f"{stem}-{attempt}")
            try:
                folder.mkdir()
            except FileExistsError:
                if name is not None:
                    raise ConfigError(f"--name {name}: {folder} exists already", "choose another name") from None
                continue
            return folder
    except OSError as error:
        raise ResourceError(
            f"cannot make a folder in {parent}: {error.strerror}",
            "try runs_dir=FOLDER, one that you may write to",
        ) from error
    raise ResourceError(f"{parent} has no room for another {stem}")


def find_run(run: str | Path) -> Path:
    """The folder of a run. Raises CheckpointError if it holds none, or links to places outside."""
    folder = Path(run)
    try:
        found = (folder / "config.yaml").is_file()
    except (OSError, ValueError):  # a name too long, a NUL character
        found = False
    if not found:
        raise CheckpointError(f"{folder} is not the folder of a run", "give one such as runs/char_lm/lstm/NAME")
    for where, folders, files in os.walk(folder):
        for path in (Path(where, name) for name in (*folders, *files)):
            try:
                kind = path.lstat().st_mode
            except FileNotFoundError:  # the run is at work
                continue
            if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
                raise CheckpointError(f"{path} is a link or no plain file", "a run's folder must hold its own files")
    return folder


def read_plain(path: Path, most: int) -> bytes:
    """A plain file whole, never a link, a device or a pipe. Raises OSError; ValueError for more than `most` bytes."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError(f"{path.name} is no plain file")
        if facts.st_size > most:
            raise ValueError(f"{path.name} has {facts.st_size:,} bytes and should have {most:,} at most")
        return file.read()


def read_json(path: Path, most: int = 8_000_000) -> Any:
    """A JSON file that should be small. Raises OSError or ValueError."""
    return parse_json(read_plain(path, most))


def parse_json(data: bytes) -> Any:
    """What JSON says, if it is not so deep that walking through it could fail. Raises ValueError."""
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


def read_overrides(folder: Path) -> list[str]:
    """What the user typed to make a run; empty where that cannot be read."""
    try:
        return read_plain(folder / "overrides.txt", 1_000_000).decode("utf-8").splitlines()
    except (OSError, ValueError):
        return []


def read_result(folder: Path) -> dict[str, Any] | None:
    """What a run came to; None where it has no result, or one that is no run's."""
    try:
        result = read_json(folder / "result.json")
    except (OSError, ValueError):
        return None
    complete = isinstance(result, dict) and {"primary", "validation", "test", "metrics", "seconds"} <= result.keys()
    return result if complete else None


def read_items(folder: Path, metric: str) -> tuple[float, ...] | None:
    """A metric on the test split item by item, as a run's test_items.json has it; None where it has no such."""
    try:
        stored = read_json(folder / "test_items.json", 256_000_000)
    except (OSError, ValueError):
        return None
    if not isinstance(stored, dict) or stored.get("metric") != metric or not isinstance(stored.get("values"), list):
        return None
    values = stored["values"]
    numbers = bool(values) and all(isinstance(v, int | float) and math.isfinite(v) for v in values)
    return tuple(float(value) for value in values) if numbers else None


def write_items(folder: Path, metric: str, values: Sequence[float]) -> None:
    """test_items.json, whole or not at all; without values none, nor one of before."""
    path = folder / "test_items.json"
    if not values:
        path.unlink(missing_ok=True)
        return
    write_text(path, json.dumps({"metric": metric, "values": list(values)}, allow_nan=False) + "\n")


def read_environment(folder: Path) -> dict[str, Any]:
    """What a run depended on: its environment.json; empty where that cannot be read."""
    try:
        facts = read_json(folder / "environment.json")
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def write_json(path: Path, content: Any) -> None:
    """Whole or not at all, as write_text."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Whole or not at all: neither a full disk nor a kill leaves half of it."""
    temporary = path.with_name(f".{path.name}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def writable(folder: Path, hint: str) -> Path:
    """A folder, made if need be, once it is known that it can be written into: before the work rather than after it.
    Raises ResourceError, with this hint."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ResourceError(f"cannot write into {folder}: {error.strerror}", hint) from error
    return folder


def discard(folder: Path) -> None:
    """Remove a checkpoint or a run; renamed first, so that a kill half-way leaves nothing that looks like one. No link
    in it is followed."""
    trash = folder.with_name(f".trash-{folder.name}-{os.getpid()}")
    folder.rename(trash)
    shutil.rmtree(trash)


def flush(path: Path) -> None:
    """Bring what was written to a file or a folder to the disk."""
    if os.name == "nt":  # Windows cannot open folders, nor flush what is open for reading
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def resume_command(folder: Path, config_dir: Path | None, *overrides: str) -> str:
    """What to type to go on with a run."""
    where = [] if config_dir is None else ["--config-dir", str(config_dir)]
    return shlex.join(["seqlab", "resume", str(folder), *overrides, *where])


def environment(data_sha256: str) -> dict[str, Any]:
    """What the run depends on beside its config: versions, machine, threads, code, data."""
    import torch

    packages = ("seqlab", "torch", "numpy", "hydra-core", "safetensors", "sacrebleu", "babel")
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "git_commit": _git_commit(),
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "cuda": torch.version.cuda,
        "data_sha256": data_sha256,
        "command": sys.argv,
        "folder": str(Path.cwd()),
    }


def fingerprint(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Of an environment, what the bits of a result depend on."""
    packages, chosen = (facts.get(name) for name in ("packages", "chosen"))
    return {
        **{name: facts.get(name) for name in ("python", "cpu", "threads", "gpu", "cuda")},
        **{name: packages.get(name) for name in ("seqlab", "torch", "numpy") if isinstance(packages, dict)},
        **(chosen if isinstance(chosen, dict) else {}),
    }


def _git_commit() -> str | None:
    """The commit of the checkout that seqlab runs from; None in an installed package."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None

    def git(*words: str) -> str:
        command = ["git", "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
