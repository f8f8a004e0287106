"""The weights that validated best."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from seqlab.checkpoints.files import DamagedError, read_checkpoint
from seqlab.checkpoints.retention import checkpoint_path, newest_whole, step_of
from seqlab.checkpoints.saving import load_checkpoint
from seqlab.checkpoints.trainer_state import Parts, as_dataclass
from seqlab.checkpoints.weights import load_network
from seqlab.errors import CheckpointError
from seqlab.training.progress import Progress

_log = logging.getLogger("seqlab")


def load_best(network: torch.nn.Module, folder: Path, best_step: int | None = None) -> int:
    """Load the weights that validated best: those of `best_step`, or of the step that the newest undamaged checkpoint
    names. If they are missing or damaged, the newest weights are loaded, with a warning. Returns the step. Raises
    CheckpointError."""
    newest: tuple[Path, Parts] | None = None
    if best_step is None:
        newest = _newest(folder)
        progress = as_dataclass(Progress, newest[1][1]["progress"])
        best_step = progress.best_step if progress.best is not None else progress.step
    best = checkpoint_path(folder, best_step)
    if newest is None or newest[0] != best:
        try:
            tensors, _ = read_checkpoint(best)
            _load_weights(network, tensors, best)
            return best_step
        except CheckpointError as error:
            if best.exists() and not isinstance(error, DamagedError):
                raise
            newest = newest or _newest(folder)
            _log.warning("the best checkpoint is lost: %s; %s is used", error.what, newest[0].name)
    _load_weights(network, newest[1][0], newest[0])
    return step_of(newest[0])


def _newest(folder: Path) -> tuple[Path, Parts]:
    found = newest_whole(folder, load_checkpoint)
    if found is None:
        raise CheckpointError(
            f"there is no checkpoint in {folder}", "the run was stopped before its first, or has just begun"
        )
    return found


def _load_weights(network: torch.nn.Module, tensors: Mapping[str, Tensor], checkpoint: Path) -> None:
    prefix = "network."
    weights = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    load_network(network, weights, str(checkpoint))
