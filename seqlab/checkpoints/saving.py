"""Write and read the checkpoints of a trainer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from torch import Tensor

from seqlab.checkpoints.files import read_checkpoint, write_checkpoint
from seqlab.checkpoints.retention import checkpoint_path, remove_others, step_of
from seqlab.checkpoints.trainer_state import Parts, as_dataclass, capture
from seqlab.errors import CheckpointError, ResourceError
from seqlab.training.progress import Interval, Progress

if TYPE_CHECKING:
    from seqlab.training.trainer import Trainer


_STATE = ("tensors", "progress", "interval", "optimizer", "scaler", "carried", "random", "run")


def save_checkpoint(trainer: Trainer[Any], folder: Path) -> None:
    """Write the checkpoint of the trainer's current step, and remove those that are no longer kept. Of several
    processes the first one writes.

    Raises ResourceError, with the space that is needed, where it cannot be written.
    """
    tensors, state = capture(trainer)
    trainer.world.first(lambda: _write(trainer, folder, tensors, state))
    trainer.saved_step = trainer.progress.step


def _write(trainer: Trainer[Any], folder: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    step = trainer.progress.step
    try:
        write_checkpoint(checkpoint_path(folder, step), tensors, state)
        known = {**trainer.best_steps, step: trainer.progress.best_step}
        trainer.best_steps = {saved: known[saved] for saved in sorted(known)[-2:]}
        remove_others(folder, last=2, best_steps=trainer.best_steps.values())
    except OSError as error:
        megabytes = sum(tensor.nbytes for tensor in tensors.values()) / 1e6
        need = f"{megabytes:,.0f}" if megabytes >= 100 else f"{megabytes:.3g}"
        raise ResourceError(
            f"cannot save step {step}, which needs {need} MB: {error.strerror or error}",
            f"make room on the disk of {folder}",
        ) from error


def load_checkpoint(checkpoint: Path) -> Parts:
    """The parts of a checkpoint; an older format is converted. Raises CheckpointError."""
    tensors, state = read_checkpoint(checkpoint)
    try:
        parts = tensors, state
        if state["format"] == 2 and (best := state["progress"]["best"]) is not None:
            # newer checkpoints store further metrics, which break ties
            state["progress"]["best"] = {"metrics": [best]}
        missing = [name for name in _STATE if name not in state]
        if missing:
            raise CheckpointError(
                f"the checkpoint at {checkpoint} does not fit: state.json has no {', '.join(missing)}"
            )
        progress = as_dataclass(Progress, state["progress"])
        as_dataclass(Interval, state["interval"])
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise CheckpointError(f"the checkpoint at {checkpoint} does not fit: {str(error)[:160]}") from error
    if progress.step != step_of(checkpoint):
        raise CheckpointError(f"the checkpoint at {checkpoint} is that of step {progress.step}")
    return parts
