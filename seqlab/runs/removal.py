"""`seqlab runs rm`: check that runs can be removed, find what refers to them, and remove their folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.core.files import discard, read_json
from seqlab.errors import CheckpointError, ConfigError, ResourceError
from seqlab.runs.catalogue import RunFiles, find_runs, named_run, read_run_files, run_folders
from seqlab.runs.lock import locked


@dataclass(frozen=True)
class Removal:
    """A run that can be removed. references: sentences about what refers to it; comparisons: the folders of the
    comparisons among these, which must not be running when it is removed."""

    run: RunFiles
    bytes: int
    references: tuple[str, ...]
    comparisons: tuple[Path, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {"folder": str(self.run.folder), "bytes": self.bytes, "missed": list(self.references)}


def plan_removal(names: Sequence[str], runs_dir: Path) -> list[Removal]:
    """The runs of these names. Raises CheckpointError for a folder that is no run or holds other runs; LockedError for
    a run in use, or whose comparison is running."""
    named = (named_run(name, runs_dir) for name in names)
    folders = list({folder.resolve(): folder for folder in named}.values())
    runs = [_checked(folder) for folder in folders]
    comparisons = {folder: dict(_comparisons(folder, runs_dir)) for folder in folders}
    others = [run for run in find_runs(runs_dir)[0] if run.folder not in folders]
    found = []
    with _all_locked(folders, *comparisons.values()):
        for run in runs:
            started = (
                f"{other.folder} was started from its weights: it keeps its own"
                for other in others
                if _is_started_from(other, run.folder)
            )
            known = comparisons[run.folder]
            found.append(Removal(run, _bytes_in(run.folder), (*known.values(), *started), tuple(known)))
    return found


def remove(removals: Sequence[Removal]) -> None:
    """Remove the folders. Raises LockedError, before anything is removed, if one is in use by now, and ResourceError,
    which lists those already removed, if one cannot be."""
    with _all_locked([one.run.folder for one in removals], *(one.comparisons for one in removals)):
        for index, one in enumerate(removals):
            try:
                discard(one.run.folder)
            except OSError as error:
                removed = ", ".join(str(done.run.folder) for done in removals[:index])
                raise ResourceError(
                    f"cannot remove {one.run.folder}: {error.strerror} ({error.filename})",
                    f"removed: {removed or 'none'}",
                ) from error


def _all_locked(*groups: Iterable[Path]) -> ExitStack:
    """Hold the locks of all these folders."""
    with ExitStack() as stack:
        for folder in dict.fromkeys(folder for group in groups for folder in group):
            stack.enter_context(locked(folder))
        return stack.pop_all()


def _checked(folder: Path) -> RunFiles:
    """A run that may be removed. A config.yaml alone does not prove one: many projects have a file of that name."""
    if folder.is_symlink():
        raise CheckpointError(f"{folder} is a link", f"name the folder itself: {folder.resolve()}")
    run = read_run_files(folder)
    if "?" in (run.task, run.model) or not (folder / "overrides.txt").is_file():
        raise CheckpointError(
            f"{folder} is not removed: it has no overrides.txt, or a config.yaml that names no model and task",
            "a run has both; if this was one, remove it by hand",
        )
    if inner := [other for other in run_folders(folder) if other != folder]:
        raise CheckpointError(
            f"{folder} holds other runs", "remove those first", f"there: {', '.join(map(str, inner[:5]))}"
        )
    if Path.cwd().is_relative_to(folder.resolve()):
        raise ConfigError(f"{folder} is the current folder", "change to another one first")
    return run


def _bytes_in(folder: Path) -> int:
    return sum((Path(where) / name).lstat().st_size for where, _, files in os.walk(folder) for name in files)


def _comparisons(folder: Path, runs_dir: Path) -> Iterator[tuple[Path, str]]:
    """(the folder of a comparison that refers to the run, a sentence about how)."""
    place = folder.resolve()
    above = {parent.resolve() for parent in folder.resolve().parents[:3]}
    plans = {path.parent.resolve(): path.parent for path in sorted(runs_dir.glob("compare/*/plan.json"))}
    for where in above - plans.keys():
        if (where / "plan.json").is_file():
            plans[where] = where
    for where, shown in plans.items():
        if where in above:
            # a trial lies one folder deeper: tune/MODEL/VALUE
            trial = len(place.relative_to(where).parts) > 2
            part = "a trial of its search" if trial else "a run that the same command makes again"
            yield shown, f"it belongs to the comparison {shown}: {part}"
        elif any(_is_same(existing, Path(), place) for existing in _existing(where / "plan.json")):
            yield shown, f"the comparison {shown} has it as a row: if repeated, it would not find it"


def _existing(plan: Path) -> list[str]:
    """The existing runs that a comparison includes; none if its plan cannot be read."""
    try:
        return [str(run) for variant in read_json(plan)["variants"] for run in variant["existing"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _is_started_from(run: RunFiles, folder: Path) -> bool:
    """Whether it was started from the weights of the run in `folder`."""
    given = run.config.get("init_from")
    started_in = run.environment.get("folder")
    return isinstance(given, str) and (
        _is_same(given, Path(), folder.resolve())
        or (isinstance(started_in, str) and _is_same(given, Path(started_in), folder.resolve()))
    )


def _is_same(path: str, base: Path, place: Path) -> bool:
    try:
        return (base / path).resolve() == place
    except (OSError, ValueError, RuntimeError):  # a name too long, a NUL character, a loop of links
        return False
