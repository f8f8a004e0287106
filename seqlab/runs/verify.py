"""`seqlab resume --verify`: train an interval once more and compare every bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from seqlab.checkpoints.retention import checkpoints_in, step_of
from seqlab.checkpoints.saving import load_checkpoint
from seqlab.checkpoints.trainer_state import Parts, capture
from seqlab.errors import CheckpointError, ConfigError
from seqlab.runs.catalogue import differences
from seqlab.runs.code import check_code
from seqlab.runs.faults import memory
from seqlab.runs.lock import locked
from seqlab.runs.reporter import Reporter
from seqlab.runs.stored import extended, find_stored, moved, origin_of, trainer_at
from seqlab.training.trainer import Trainer


def verify(run: str | Path, reporter: Reporter | None = None, *, config_dir: Path | None = None) -> tuple[int, int]:
    """Repeat training from the second-last checkpoint (or the start) to the last one, and compare every bit.

    Returns the two steps. Raises CheckpointError, naming what differs, if any bit does. Writes nothing.
    """
    folder, named = find_stored(run)
    with locked(folder), memory():
        there = checkpoints_in(folder / "checkpoints")
        last = there[-1] if named is None and there else named
        if last is None:
            raise CheckpointError(f"{folder} has no checkpoint yet", "there is nothing to verify")
        expected = load_checkpoint(last)
        earlier = [checkpoint for checkpoint in there if step_of(checkpoint) < step_of(last)]
        found = (earlier[-1], load_checkpoint(earlier[-1])) if earlier else None
        check_code(folder, config_dir)
        origin = origin_of((last, expected), folder, config_dir)
        config = extended(folder, config_dir, (), origin["config"])
        if (processes := config.device.processes) > 1:
            raise ConfigError(
                f"--verify repeats a run in one process, and {folder} is one of device.processes={processes}",
                "train another with the same seed, and compare their metrics.jsonl",
            )
        trainer = trainer_at(folder, config, found, origin)
        trainer.folder = None
        for key, (before, here) in moved(origin, trainer.origin).items():
            (reporter or Reporter()).warn(f"{key} was {before}, is {here}")
        start, end = trainer.progress.step, expected[1]["progress"]["step"]
        replay(trainer, end, evaluated=expected[1]["progress"]["evaluated_step"] == end)
        progress = expected[1]["progress"]
        if (progress.get("epoch"), progress.get("windows")) == (trainer.progress.epoch + 1, 0):
            # a run that ended with an epoch has already moved to the next one
            trainer.progress.epoch, trainer.progress.windows = trainer.progress.epoch + 1, 0
        different = _differences(expected, capture(trainer))
        if different:
            raise CheckpointError(
                f"training again from step {start} to {end} gives other bits in {len(different)} places, "
                f"first {different[0]}",
                "another machine, version or thread count rounds differently; so does device=cuda without "
                "deterministic=true",
            )
        return start, end


def replay(trainer: Trainer[Any], step: int, *, evaluated: bool) -> None:
    """Repeat the steps of fit() up to `step` without saving. evaluated: whether there was a validation at that step:
    one that was due may have been postponed, and one at the end of a run was not due."""
    trainer.network.train()
    trainer.validate_if_due()
    for group in trainer.windows.groups(trainer.progress, lambda: trainer.progress.step >= step):
        trainer.step(group)
        if trainer.progress.due(trainer.config.log_every_steps):
            trainer.log()
        if trainer.progress.step < step:
            trainer.validate_if_due()
    trainer.outcomes.read(trainer.progress)
    if evaluated and trainer.progress.evaluated_step != step:
        trainer.validate()


def _differences(expected: Parts, got: Parts) -> list[str]:
    """Names of the parts that are not bit-identical; times do not count."""
    (tensors, state), (own_tensors, own) = expected, got
    found = [
        name
        for name in sorted(tensors.keys() | own_tensors.keys())
        if name not in tensors or name not in own_tensors or not _same(tensors[name], own_tensors[name].cpu())
    ]
    keys = ["progress", "optimizer", "scaler", "carried", "random"]
    if state["interval"]["targets"]:  # at its end a run logs what was left of its last interval
        keys.append("interval")
    left, right = ({key: side[key] for key in keys} for side in (state, own))
    timed = ("progress.seconds", "interval.seconds")
    return found + [key for key in differences(_plain(left), _plain(right)) if key not in timed]


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors have equal bits, nan included."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return torch.equal(*(t.contiguous().view(-1).view(torch.uint8) for t in (a, b)))


def _plain(state: Any) -> Any:
    """As after a round trip through JSON: lists for tuples, strings for keys."""
    if isinstance(state, Mapping):
        return {str(key): _plain(value) for key, value in state.items()}
    return [_plain(value) for value in state] if isinstance(state, list | tuple) else state
