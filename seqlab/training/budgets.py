"""Notes on budgets that may not do what was meant, given before the time is spent."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from seqlab.core.task import Task
from seqlab.training.config import TrainerConfig
from seqlab.training.optim import OptimConfig


def budget_notes(config: TrainerConfig, optim: OptimConfig, steps_in: Callable[[int], int]) -> list[str]:
    """A note where one budget ends training before another is used up, or before the learning rate has decayed.
    steps_in: the number of optimizer steps in a number of epochs."""
    notes: list[str] = []
    ends = config.max_steps or math.inf
    if config.max_epochs is not None:
        epochs = config.max_epochs
        steps = steps_in(epochs)
        if steps > ends:
            reached = math.ceil(epochs * ends / max(steps, 1))
            notes.append(
                f"trainer.max_steps={config.max_steps} ends training in epoch {reached} of "
                f"trainer.max_epochs={epochs}; for all of them: trainer.max_steps={steps}"
            )
        ends = min(ends, steps)
    if optim.warmup_steps >= ends:
        notes.append(
            f"the learning rate is still being warmed up when training ends at step {ends}: "
            f"optim.warmup_steps={optim.warmup_steps}; try optim.warmup_steps={max(1, int(ends) // 10)}"
        )
    horizon = optim.horizon(config.max_steps)
    if horizon is None or not optim.decays:
        return notes
    schedule = f"optim.schedule={optim.schedule} ends at step {horizon}"
    if ends < horizon:
        notes.append(
            f"training ends at step {ends}, before the learning rate has decayed: {schedule}; "
            f"try optim.horizon_steps={ends}"
        )
    early = [
        f"trainer.{name}={value:g}"
        for name, value in (("max_seconds", config.max_seconds), ("patience", config.patience))
        if value is not None
    ]
    if early:
        notes.append(
            f"{' or '.join(early)} may end training before the learning rate has decayed: {schedule}; "
            "a rate that does not depend on it: optim.schedule=constant"
        )
    return notes


def cut_note(trainer: TrainerConfig, task: Task[Any]) -> str | None:
    """A note on what truncated backpropagation does to a budget; None if nothing is truncated, or if all windows of a
    batch are accumulated, which have targets."""
    if trainer.bptt_steps is None:
        return None
    windows = -(-task.longest() // trainer.bptt_steps)
    with suppress(TypeError):  # batches that cannot be cut are refused elsewhere
        first = list(next(iter(task.batches("train", 0))).windows(trainer.bptt_steps))
        if len(first) == windows:
            windows = sum(window.scored for window in first)
    if windows == 1 or trainer.accumulate % windows == 0:
        return None
    return (
        f"trainer.bptt_steps={trainer.bptt_steps} makes up to {windows} updates of a batch: compared with a run "
        "without truncation, it reads less text in equal steps and makes more updates on equal text; "
        f"both are equal with trainer.accumulate={windows * trainer.accumulate}"
    )
