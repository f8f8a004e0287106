"""What a task feeds, and what the trainer must know of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, TypeVar

import torch
from torch import Tensor

Split = Literal["train", "validation", "test"]
HELD_OUT: tuple[Split, Split] = ("validation", "test")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Base of each task's batch: its tensors, and what the trainer must know without asking a device.

    continues: row b carries on row b of the batch before, so that its state is to be kept.
    target_count: how many targets are scored in it (the divisor of its summed loss).
    positions: how many positions are read, padding not counted (the "tokens" of tokens/s).
    """

    continues: bool = False
    target_count: int
    positions: int

    @property
    def size(self) -> int:
        """B: the number of rows."""
        return next(len(value) for value in vars(self).values() if isinstance(value, Tensor))

    def to(self, device: torch.device) -> Self:
        """The same batch with every tensor on `device`; to CUDA from pinned memory, so that nobody waits."""
        if device.type == "cpu":
            return self

        def moved(value: Tensor) -> Tensor:
            if device.type != "cuda" or not value.is_cpu:
                return value.to(device)
            # a view of a longer text would be pinned with all that lies between its rows
            return value.contiguous().pin_memory().to(device, non_blocking=True)

        values = {f.name: getattr(self, f.name) for f in fields(self)}
        tensors: dict[str, Any] = {name: moved(value) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **tensors)

    def windows(self, steps: int) -> Iterator[Self]:
        """This batch cut along time into windows of at most `steps` positions, each continuing the last."""
        raise TypeError(f"{type(self).__name__} cannot be cut along time")


BatchT = TypeVar("BatchT", bound=Batch)
