"""environment.json: what a run depends on besides its config: versions, machine, corpus."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from seqlab.core.files import read_json
from seqlab.errors import CheckpointError

_PACKAGES = ("seqlab", "torch", "numpy", "hydra-core", "safetensors", "sacrebleu", "babel")


def read_environment(folder: Path) -> dict[str, Any]:
    """A run's environment.json; empty if it cannot be read."""
    try:
        facts = read_json(folder / "environment.json")
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def environment(data_sha256: str) -> dict[str, Any]:
    """The environment of this process: versions, machine, threads, code, data."""
    import torch  # takes a second, which reading the file should not

    return {
        "python": platform.python_version(),
        "packages": dict(_packages()),
        "git_commit": git_commit(Path(str(files("seqlab"))).parent),
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


@cache
def _packages() -> dict[str, str]:
    """Reading them takes a tenth of a short run, and they are those of the process."""
    return {name: version(name) for name in _PACKAGES}


def launch_facts() -> dict[str, str]:
    """What a launcher and its restarts have in common: the name that a user has given the job, also when a cluster
    starts it again; else the launcher's process. Empty in a process that no launcher has started."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return {}
    named = os.environ["TORCHELASTIC_RUN_ID"]
    return {"launch": named if named != "none" else f"{platform.node()}-{os.getppid()}"}


def fingerprint(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an environment that the bits of a result depend on."""
    packages, chosen = (facts.get(name) for name in ("packages", "chosen"))
    return {
        **{name: facts.get(name) for name in ("python", "cpu", "threads", "gpu", "cuda")},
        **{name: packages.get(name) for name in ("seqlab", "torch", "numpy") if isinstance(packages, dict)},
        **(chosen if isinstance(chosen, dict) else {}),
    }


def git_commit(checkout: Path) -> str | None:
    """The commit of a checkout, with -dirty after changes; None in an installed package."""
    if not (checkout / ".git").exists():
        return None

    def git(*words: str) -> str:
        command = ["git", "-C", str(checkout), *words]
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


def recorded(folder: Path) -> dict[str, Any]:
    """A run's environment.json. Raises CheckpointError if it cannot be read."""
    facts = read_environment(folder)
    if not facts:
        raise CheckpointError(f"{folder} has no readable environment.json", "is this the folder of a run?")
    return facts
