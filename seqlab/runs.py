"""The runs that are there: found, sorted, shown, told apart. Reads files only; no torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from seqlab.config.sources import LOADER, checked_yaml
from seqlab.errors import CheckpointError, ConfigError
from seqlab.run_folder import find_run, read_result


@dataclass(frozen=True)
class RunFiles:
    """What stands in a run's folder. result: None where it was stopped, failed, or is still running."""

    folder: Path
    config: Mapping[str, Any]
    result: Mapping[str, Any] | None
    changed: datetime

    @property
    def task(self) -> str:
        """The chosen task's name."""
        return str(self.config.get("names", {}).get("task", "?"))

    @property
    def model(self) -> str:
        """The chosen model's name."""
        return str(self.config.get("names", {}).get("model", "?"))

    @property
    def primary(self) -> str | None:
        """The metric that runs of its task are judged by."""
        return None if self.result is None else str(self.result["primary"])

    def as_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {
            "folder": str(self.folder),
            "task": self.task,
            "model": self.model,
            "seed": self.config.get("seed"),
            "changed": self.changed.isoformat(timespec="seconds"),
            "result": self.result,
        }


def read_run_files(run: str | Path) -> RunFiles:
    """A run's files. Raises CheckpointError if it is no run or its files are damaged."""
    folder = find_run(run)
    try:
        config = yaml.load(checked_yaml(folder / "config.yaml"), Loader=LOADER)
        path = folder / "result.json"
        result = read_result(folder)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise CheckpointError(f"{folder} cannot be read: {' '.join(str(error).split())[:160]}") from error
    if not isinstance(config, dict) or not isinstance(config.get("names", {}), dict):
        raise CheckpointError(f"{folder} cannot be read: its config.yaml is not that of a run")
    changed = datetime.fromtimestamp((path if result else folder / "config.yaml").stat().st_mtime)
    return RunFiles(folder, config, result, changed)


def find_runs(root: Path, task: str | None = None) -> tuple[list[RunFiles], list[str]]:
    """(every run below `root`, whatever its place, and what could not be read). Raises CheckpointError where that
    cannot be looked into."""
    found: list[RunFiles] = []
    damaged: list[str] = []
    try:
        paths = sorted(root.rglob("config.yaml"))
    except OSError as error:
        raise CheckpointError(f"cannot look for runs in {root}: {error.strerror}") from error
    for path in paths:
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        try:
            run = read_run_files(path.parent)
        except CheckpointError as error:
            damaged.append(error.what)
            continue
        if task is None or run.task == task:
            found.append(run)
    return found, damaged


def exists(name: str) -> bool:
    """Whether there is such a path; Path.exists() raises where a name is too long."""
    return os.path.exists(name)  # noqa: PTH110


def named_run(name: str, runs_dir: Path = Path("runs")) -> Path:
    """A run's folder; or `last`, the one below `runs_dir` that changed last; or `best:TASK`, the one with the best
    primary metric on test. Raises CheckpointError where there is none."""
    word, _, task = name.partition(":")
    there = exists(name)
    if there or (word, bool(task)) not in (("last", False), ("best", True)):
        meant = get_close_matches(word.lower(), ("last", "best"), 1)
        if meant and not there:
            wanted = "last" if meant == ["last"] else f"best:{task or 'TASK'}"
            raise CheckpointError(f"{name} is not the folder of a run", f"did you mean {wanted}?")
        return find_run(name)
    found, _ = find_runs(runs_dir)
    if word == "last":
        if not found:
            raise CheckpointError(f"last: there is no run in {runs_dir}", "train one: seqlab train")
        return max(found, key=lambda run: run.changed).folder
    on_task = [run for run in found if run.task == task]
    done = [run for run in sort_runs(on_task, None) if run.result is not None]
    if not done:
        tasks = ", ".join(sorted({run.task for run in found if run.result is not None}))
        raise CheckpointError(f"{name}: no finished run in {runs_dir} is on {task}", "", f"tasks: {tasks or 'none'}")
    return done[0].folder


def sort_runs(runs: list[RunFiles], key: str | None) -> list[RunFiles]:
    """Best first by `key`: the primary metric (None), any metric of the task, or what SORTS names. Those without a
    result stand last. Raises ConfigError for a key that no run has."""
    done = [run for run in runs if run.result is not None]
    rest = sorted((run for run in runs if run.result is None), key=lambda run: run.changed, reverse=True)
    if key is not None and key in _SORTS:
        return sorted(done, key=_SORTS[key]) + rest
    metrics = sorted({name for run in done for name in (run.result or {})["test"]})
    if key is not None and key not in metrics:
        raise ConfigError(f"--sort {key}: no run has it", "", f"sort by: {', '.join((*_SORTS, *metrics))}")

    def rank(run: RunFiles) -> tuple[str, bool, float]:
        assert run.result is not None
        name = key or run.result["primary"]
        value = run.result["test"].get(name)
        higher = run.result["metrics"].get(name, {}).get("higher_is_better", False)
        return (run.task, value is None, 0.0 if value is None else -value if higher else value)

    return sorted(done, key=rank) + rest


def _by(name: str, sign: int) -> Callable[[RunFiles], Any]:
    return lambda run: (run.task, sign * ((run.result or {}).get(name) or 0))


_SORTS: dict[str, Callable[[RunFiles], Any]] = {
    "time": lambda run: (run.task, -run.changed.timestamp()),
    "model": lambda run: (run.task, run.model, run.config.get("seed") or 0),
    "parameters": _by("parameters", 1),
    "seconds": _by("seconds", 1),
    "tokens_per_second": _by("tokens_per_second", -1),
    "steps": _by("steps", 1),
}


def flat(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A tree of settings by dotted key."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        dotted = f"{prefix}{key}"
        found |= flat(value, f"{dotted}.") if isinstance(value, dict) else {dotted: value}
    return found


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The dotted keys whose values differ, with both; None where one has none."""
    left, right = flat(a), flat(b)
    keys = list(dict.fromkeys((*left, *right)))
    return {key: (left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)}
