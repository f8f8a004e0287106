"""Checkpoints: tensors as safetensors, everything else as JSON. No pickle anywhere.

A checkpoint is a folder with tensors.safetensors and state.json. It appears whole or not at all: it is
written under another name, flushed to the disk, and renamed.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from seqlab.errors import CheckpointError
from seqlab.interfaces import State


def network_tensors(network: nn.Module) -> dict[str, Tensor]:
    """The state of a network by name, a tied weight once."""
    every = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    once = {name for name, _ in network.named_parameters()}
    again = {name for name in every if name not in once}
    return {name: tensor for name, tensor in network.state_dict().items() if name not in again}


def load_network(network: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Copy weights into a network of the same shapes. Raises CheckpointError naming what does not fit."""
    own = network_tensors(network)
    if own.keys() != tensors.keys():
        different = ", ".join(sorted(own.keys() ^ tensors.keys())[:3])
        raise CheckpointError(f"the weights of {source} are of another network: {different}")
    for name, tensor in own.items():
        if tensor.shape != tensors[name].shape:
            raise CheckpointError(
                f"the weights of {source} do not fit: {name} is {tuple(tensors[name].shape)} there and "
                f"{tuple(tensor.shape)} here",
                "model, task and corpus must be the same",
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])


def flatten_state(state: State) -> tuple[dict[str, Tensor], Any]:
    """A state as numbered tensors and its nesting, e.g. [["0", "1"]], for a file."""
    tensors: dict[str, Tensor] = {}

    def visit(part: State) -> Any:
        if isinstance(part, Tensor):
            tensors[str(len(tensors))] = part
            return str(len(tensors) - 1)
        return [visit(inner) for inner in part]

    shape = visit(state)
    return tensors, shape


def unflatten_state(tensors: dict[str, Tensor], shape: Any) -> State:
    """The inverse of flatten_state."""
    if isinstance(shape, str):
        return tensors[shape]
    return tuple(unflatten_state(tensors, inner) for inner in shape)


def save_checkpoint(folder: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write a checkpoint; one that stands there already is replaced whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f".tmp-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    save_file(
        {name: t.detach().to("cpu", copy=True).contiguous() for name, t in tensors.items()},
        temporary / "tensors.safetensors",
    )
    (temporary / "state.json").write_text(json.dumps(state, indent=1))
    for path in (*temporary.iterdir(), temporary):
        _flush(path)
    if folder.exists():
        discard(folder)
    temporary.rename(folder)
    _flush(folder.parent)


def discard(folder: Path) -> None:
    """Remove a checkpoint; renamed first, so that a kill half-way leaves nothing that looks like one."""
    trash = folder.parent / f".trash-{folder.name}-{os.getpid()}"
    folder.rename(trash)
    shutil.rmtree(trash)


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, state) of a checkpoint. Raises CheckpointError if it is missing or cannot be read."""
    try:
        state = json.loads((folder / "state.json").read_text())
        return load_file(folder / "tensors.safetensors"), state
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint at {folder}", "is this the folder of a run?") from error
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"the checkpoint at {folder} is damaged: {error}") from error


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows cannot open folders
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
