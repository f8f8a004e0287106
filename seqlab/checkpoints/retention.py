"""The checkpoints of one run: which are kept, and which one to resume from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from seqlab.checkpoints.files import DamagedError
from seqlab.core.files import discard
from seqlab.errors import CheckpointError

_log = logging.getLogger("seqlab")
T = TypeVar("T")


def checkpoint_path(folder: Path, step: int) -> Path:
    """The folder of the checkpoint of a step."""
    return folder / f"step-{step:08d}"


def step_of(checkpoint: Path) -> int:
    """The inverse of checkpoint_path. Raises CheckpointError for a folder with another name."""
    digits = checkpoint.name.removeprefix("step-")
    if not (digits.isascii() and digits.isdigit() and checkpoint.name.startswith("step-")):
        raise CheckpointError(f"{checkpoint} is not a checkpoint", "its name should be like step-00000120")
    return int(digits)


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    found = (path for path in folder.glob("step-*") if path.name[5:].isdecimal() and path.name.isascii())
    return sorted(found, key=step_of)


def remove_others(folder: Path, *, last: int, best_steps: Iterable[int]) -> None:
    """Remove all but the `last` newest checkpoints and the best one that each of them names."""
    keep = {*checkpoints_in(folder)[-last:], *(checkpoint_path(folder, step) for step in best_steps)}
    for checkpoint in checkpoints_in(folder):
        if checkpoint not in keep:
            discard(checkpoint)


def newest_whole(folder: Path, load: Callable[[Path], T]) -> tuple[Path, T] | None:
    """(the newest checkpoint that `load` finds undamaged, what it returned); None where there is no checkpoint.

    Logs a warning for each damaged one. Raises CheckpointError if all of them are damaged.
    """
    found = checkpoints_in(folder)
    for checkpoint in reversed(found):
        try:
            loaded = load(checkpoint)
        except DamagedError as error:
            _log.warning("%s; trying the one before", error.what)
            continue
        return checkpoint, loaded
    if found:
        raise CheckpointError(
            f"all {len(found)} checkpoints in {folder} are damaged", "move the run's folder away and start it again"
        )
    return None


def set_aside(folder: Path, step: int) -> list[Path]:
    """Rename the checkpoints of later steps to aside-*, and return them: a run that resumes from `step` writes its own,
    and must not treat these as its own."""
    moved = []
    for checkpoint in reversed(checkpoints_in(folder)):  # a kill half-way must not leave the newest without its best
        if step_of(checkpoint) > step:
            names = (f"aside-{checkpoint.name}{number}" for number in ("", *(f"-{n}" for n in range(2, 10_000))))
            moved.append(checkpoint.rename(next(folder / name for name in names if not (folder / name).exists())))
    return moved
