"""Find stored runs, by folder or by name. Reads files only; imports no torch."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from seqlab.config.sources import LOADER, checked_yaml
from seqlab.config.suggest import did_you_mean, means_nothing, nearest, turned_off
from seqlab.data.files import expanded
from seqlab.errors import CheckpointError
from seqlab.runs.environment import read_environment
from seqlab.runs.folder import find_run, read_result
from seqlab.runs.labels import Labels, labels_or_none
from seqlab.runs.names import ALIASES
from seqlab.runs.ranking import group_names, grouped, sort_runs

_log = logging.getLogger("seqlab")
_OWN_FOLDERS = ("checkpoints", "code", "evaluation", "inspect")  # subfolders of a run: never searched for runs


@dataclass(frozen=True)
class RunFiles:
    """The files of one run. result: None if it was stopped, failed, or is still running."""

    folder: Path
    config: Mapping[str, Any]
    result: Mapping[str, Any] | None
    changed: datetime

    @property
    def task(self) -> str:
        """The name of its task."""
        return str(self.config.get("names", {}).get("task", "?"))

    @property
    def model(self) -> str:
        """The name of its model."""
        return str(self.config.get("names", {}).get("model", "?"))

    @cached_property
    def environment(self) -> Mapping[str, Any]:
        """environment.json; empty if it cannot be read."""
        return read_environment(self.folder)

    @cached_property
    def labels(self) -> Labels:
        """Its tags and its note."""
        return labels_or_none(self.folder)

    @property
    def primary(self) -> str | None:
        """The primary metric; None without a result."""
        return None if self.result is None else str(self.result["primary"])

    def as_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {
            "folder": str(self.folder),
            "task": self.task,
            "model": self.model,
            "seed": self.config.get("seed"),
            "changed": self.changed.isoformat(timespec="seconds"),
            "tags": list(self.labels.tags),
            "note": self.labels.note,
            "result": self.result,
        }


def read_run_files(run: str | Path) -> RunFiles:
    """Read a run's files. Raises CheckpointError if the folder holds no run or a damaged one."""
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
    """(every run below `root`, at any depth; messages about those that could not be read). Raises CheckpointError if
    `root` cannot be read."""
    found: list[RunFiles] = []
    damaged: list[str] = []
    try:
        os.scandir(root).close()
    except FileNotFoundError:
        return found, damaged
    except OSError as error:
        raise CheckpointError(f"cannot look for runs in {root}: {error.strerror}") from error
    for folder in run_folders(root):
        try:
            run = read_run_files(folder)
        except CheckpointError as error:
            damaged.append(error.what)
            continue
        if task is None or run.task == task:
            found.append(run)
    return found, damaged


def exists(name: str) -> bool:
    """Whether the path exists; False for a name that is too long, where Path.exists() raises."""
    return os.path.exists(name)  # noqa: PTH110


def is_alias(name: str) -> bool:
    """Whether the name is `last` or best:TASK, which mean another run tomorrow, and not the name of one run."""
    word, _, task = name.partition(":")
    return (word, bool(task)) in (("last", False), ("best", True)) and not exists(name)


def run_folders(root: Path) -> list[Path]:
    """The folders of runs in `root` and below, sorted. No file of them is read."""
    found = []
    # os.walk rather than rglob: a folder that cannot be read hides its own runs only
    for where, folders, files in os.walk(root):
        own = _OWN_FOLDERS if "config.yaml" in files else ()
        folders[:] = sorted(name for name in folders if name not in own and not name.startswith("."))
        if "config.yaml" in files:
            found.append(Path(where))
    return found


def names_beginning(start: str, runs_dir: Path) -> dict[str, Path]:
    """Completions: for each run below `runs_dir` its shortest unambiguous name that begins with `start`."""
    paths = {folder: folder.relative_to(runs_dir).parts for folder in run_folders(runs_dir)}
    names = {
        folder: ["/".join(parts[-depth:]) for depth in range(1, len(parts) + 1)] for folder, parts in paths.items()
    }
    many = Counter(name for known in names.values() for name in known)
    found: dict[str, Path] = {}
    for folder, known in names.items():
        if name := next((name for name in known if many[name] == 1 and name.startswith(start)), None):
            found[name] = folder
    return found


def _called(name: str, runs_dir: Path, there: bool) -> Path:
    """The run below `runs_dir` whose path ends in this name. there: the name is an existing path without a run."""
    runs = run_folders(runs_dir)
    parts = tuple(part for part in name.split("/") if part)
    meant = [folder for folder in runs if parts and folder.relative_to(runs_dir).parts[-len(parts) :] == parts]
    if len(meant) == 1:
        return find_run(meant[0])
    if meant:
        raise CheckpointError(
            f"{len(meant)} runs are called {name}", "give more of its path", "there: " + ", ".join(map(str, meant[:5]))
        )
    if not there:
        word, _, task = name.partition(":")
        if near := nearest(word, ALIASES):
            wanted = "last" if near == "last" else f"best:{task or 'TASK'}"
            raise CheckpointError(f"{name} is not the folder of a run", f"did you mean {wanted}?")
        depth = max(len(parts), 1)
        names = dict.fromkeys("/".join(folder.relative_to(runs_dir).parts[-depth:]) for folder in runs)
        if near := nearest(name, names):
            raise CheckpointError(f"there is no run called {name} in {runs_dir}", f"did you mean {near}?")
        raise CheckpointError(
            f"{name} is not the folder of a run, nor the name of one in {runs_dir}", "see what there is: seqlab runs"
        )
    return find_run(name)


def named_run(name: str, runs_dir: Path = Path("runs")) -> Path:
    """The folder of the run that `name` means: a path; a name as --name gave it (`NAME`, `MODEL/NAME` or
    `TASK/MODEL/NAME`, below `runs_dir`); `last`, the run that changed last; or `best:TASK`, the best by validation.

    Where the runs on a task cannot all be ranked together, best:TASK ranks those that can be ranked with the newest,
    and warns. Raises CheckpointError if there is no such run, or several.
    """
    word, _, task = name.partition(":")
    if not is_alias(name):
        name = str(expanded(name)) if name.startswith("~") else name
        there = exists(name)
        if there and exists(os.path.join(name, "config.yaml")):  # noqa: PTH118
            return find_run(name)
        return _called(name, runs_dir, there)
    found, _ = find_runs(runs_dir)
    if word == "last":
        if not found:
            raise CheckpointError(f"last: there is no run in {runs_dir}", "train one: seqlab train")
        return max(found, key=lambda run: run.changed).folder
    done = [run for run in found if run.task == task and run.result is not None]
    if not done:
        tasks = sorted({run.task for run in found if run.result is not None})
        raise CheckpointError(
            f"{name}: no finished run in {runs_dir} is on {task}",
            did_you_mean(task, tasks, "best:"),
            f"tasks: {', '.join(tasks) or 'none'}",
        )
    groups = grouped(done)
    chosen, *others = groups
    if others:
        _log.warning(
            "%s: the best of %d run%s on %s, the newest's group; %d have other data or another metric: see seqlab runs",
            name,
            len(groups[chosen]),
            "s" * (len(groups[chosen]) > 1),
            group_names(groups)[chosen],
            len(done) - len(groups[chosen]),
        )
    return sort_runs(groups[chosen], None)[0].folder


def pinned_start(init_from: str | None, runs_dir: Path) -> list[str]:
    """The override init_from=FOLDER for a run that is given by name, since the name may mean another run tomorrow; none
    if the folder was given already. Raises CheckpointError if there is no such run."""
    if init_from is None:
        return []
    try:
        folder = named_run(init_from, runs_dir)
    except CheckpointError as error:
        remedy = turned_off("init_from") if means_nothing(init_from) else error.hint
        raise CheckpointError(f"init_from={init_from}: {error.what}", remedy, error.allowed) from error
    return [] if folder == Path(init_from) else [f"init_from={folder}"]


def flat(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        dotted = f"{prefix}{key}"
        found |= flat(value, f"{dotted}.") if isinstance(value, dict) else {dotted: value}
    return found


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The dotted keys whose values differ, with both values; None stands for a missing one."""
    left, right = flat(a), flat(b)
    keys = list(dict.fromkeys((*left, *right)))
    return {key: (left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)}
