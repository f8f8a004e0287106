"""What a trainer must remember so that stopping and going on changes nothing, as tensors and JSON."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from seqlab.interfaces import Metric
from seqlab.training.checkpoint import (
    discard,
    flatten_state,
    load_checkpoint,
    load_network,
    network_tensors,
    save_checkpoint,
    unflatten_state,
)

if TYPE_CHECKING:
    from seqlab.training.trainer import Trainer

FORMAT = 1


def snapshot_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step stands."""
    return folder / f"step-{step:08d}"


def save_snapshot(trainer: Trainer[Any], folder: Path) -> None:
    """Write the checkpoint of the trainer's current step."""
    tensors: dict[str, Tensor] = {f"network.{n}": t for n, t in network_tensors(trainer.network).items()}
    optimizer = trainer.optimizer.state_dict()
    loose: dict[str, dict[str, Any]] = {}
    for index, slots in optimizer["state"].items():
        for name, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                loose.setdefault(str(index), {})[name] = value
    carried, nesting = ({}, None) if trainer.state is None else flatten_state(trainer.state)
    tensors |= {f"state.{name}": tensor for name, tensor in carried.items()}
    tensors["random.torch"] = torch.get_rng_state()
    if trainer.device.name == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    state = {
        "format": FORMAT,
        "progress": dataclasses.asdict(trainer.progress),
        "optimizer": {"param_groups": optimizer["param_groups"], "state": loose},
        "scaler": trainer.scaler.state_dict(),
        "state": nesting,
    }
    save_checkpoint(snapshot_path(folder, trainer.progress.step), tensors, state)


def restore_snapshot(trainer: Trainer[Any], checkpoint: Path) -> None:
    """Put a trainer where it was when `checkpoint` was written. Raises CheckpointError if it does not fit."""
    tensors, state = load_checkpoint(checkpoint)
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}, "state": {}, "random": {}}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        parts[kind][rest] = tensor
    load_network(trainer.network, parts["network"], str(checkpoint))
    slots = {int(index): dict(values) for index, values in state["optimizer"]["state"].items()}
    for name, tensor in parts["optimizer"].items():
        index, _, slot = name.partition(".")
        slots.setdefault(int(index), {})[slot] = tensor
    trainer.optimizer.load_state_dict({"state": slots, "param_groups": state["optimizer"]["param_groups"]})
    trainer.scaler.load_state_dict(state["scaler"])
    for name, value in state["progress"].items():
        setattr(trainer.progress, name, Metric(**value) if name == "best" and value else value)
    device = trainer.device.torch_device
    carried = {name: tensor.to(device) for name, tensor in parts["state"].items()}
    trainer.state = None if state["state"] is None else unflatten_state(carried, state["state"])
    torch.set_rng_state(parts["random"]["torch"])
    if "cuda" in parts["random"] and device.type == "cuda":
        torch.cuda.set_rng_state(parts["random"]["cuda"])


def load_weights(network: torch.nn.Module, checkpoint: Path) -> None:
    """Only the network's weights of a checkpoint."""
    tensors, _ = load_checkpoint(checkpoint)
    prefix = "network."
    weights = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    load_network(network, weights, str(checkpoint))


def snapshots(folder: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    return sorted(folder.glob("step-*"))


def keep_snapshots(folder: Path, *, last: int, best_step: int) -> None:
    """Remove all but the `last` newest checkpoints and the best one."""
    keep = {*snapshots(folder)[-last:], snapshot_path(folder, best_step)}
    for checkpoint in snapshots(folder):
        if checkpoint not in keep:
            discard(checkpoint)


def best_snapshot(folder: Path) -> Path:
    """The checkpoint with the best validation, as the newest checkpoint remembers it."""
    found = snapshots(folder)
    if not found:
        load_checkpoint(folder)  # raises: there is none
    _, state = load_checkpoint(found[-1])
    best = snapshot_path(folder, state["progress"]["best_step"])
    return best if best.exists() else found[-1]
