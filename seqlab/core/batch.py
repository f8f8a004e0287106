"""What a task feeds to a network, and what the trainer must know about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, TypeVar

import torch
from torch import Tensor

Split = Literal["train", "validation", "test"]
HELD_OUT: tuple[Split, Split] = ("validation", "test")
SPLITS: tuple[Split, ...] = ("train", *HELD_OUT)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Base of each task's batch: its tensors, and what the trainer must know without asking a device.

    continues: row b continues row b of the previous batch, so its state is kept.
    target_count: the number of targets that are scored, the divisor of the summed loss.
    positions: the number of positions that are read, without padding: the tokens of tokens/s.
    """

    continues: bool = False
    target_count: int
    positions: int

    @property
    def scored(self) -> bool:
        """Whether it has targets; a batch without any only advances the state."""
        return self.target_count > 0

    @property
    def size(self) -> int:
        """B, the number of rows."""
        return next(len(value) for value in vars(self).values() if isinstance(value, Tensor))

    def rows(self, chosen: slice) -> Self:
        """These rows alone; the counts remain those of the whole batch."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        tensors: dict[str, Any] = {name: value[chosen] for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **tensors)

    def to(self, device: torch.device) -> Self:
        """The same batch with every tensor on `device`; to CUDA from pinned memory, so that the host does not wait."""
        if device.type == "cpu":
            return self

        def moved(value: Tensor) -> Tensor:
            if device.type != "cuda" or not value.is_cpu:
                return value.to(device)
            # a view into a longer text would be pinned together with everything between its rows
            return value.contiguous().pin_memory().to(device, non_blocking=True)

        values = {f.name: getattr(self, f.name) for f in fields(self)}
        tensors: dict[str, Any] = {name: moved(value) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **tensors)

    def windows(self, steps: int) -> Iterator[Self]:
        """Cut this batch along time into windows of at most `steps` positions, each continuing the previous one.
        Raises TypeError where the batch has no time axis to cut."""
        raise TypeError(f"{type(self).__name__} cannot be cut along time")


BatchT = TypeVar("BatchT", bound=Batch)


def targets_in(batches: Iterable[Batch]) -> int:
    """The number of scored targets in all batches."""
    return sum(batch.target_count for batch in batches)


def positions_in(batches: Iterable[Batch]) -> int:
    """The number of positions read in all batches, without padding: tokens, as budgets count them."""
    return sum(batch.positions for batch in batches)
