"""A run's folder: how it is made, and the files that say what ran and where."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seqlab.errors import CheckpointError, ConfigError, ResourceError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]*")


def make_run_folder(parent: Path, stem: str, name: str | None) -> Path:
    """A new folder parent/<stem>[-<n>], or parent/<name>. Two starts never share one.

    Raises ConfigError for a name that exists or is no plain name, ResourceError where it cannot be made.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise ConfigError(f"--name {name!r}: a run's name has letters, digits and . _ - = + only")
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
    """The folder of a run. Raises CheckpointError if it holds none."""
    folder = Path(run)
    if not (folder / "config.yaml").is_file():
        raise CheckpointError(f"{folder} is not the folder of a run", "give one such as runs/char_lm/lstm/NAME")
    return folder


def read_result(folder: Path) -> dict[str, Any] | None:
    """What a run came to; None where it has no result, or one that is no run's."""
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    complete = isinstance(result, dict) and {"primary", "validation", "test", "metrics", "seconds"} <= result.keys()
    return result if complete else None


def read_environment(folder: Path) -> dict[str, Any]:
    """What a run depended on: its environment.json; empty where that cannot be read."""
    try:
        facts = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def write_json(path: Path, content: Any) -> None:
    """Whole or not at all: a full disk leaves no half of it."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)


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
