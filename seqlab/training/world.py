"""The processes of a run: what each reads, what they add up, and what they agree on. `World` is one process alone, for
which everything is its own already; distributed.py has several."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from torch import Tensor

from seqlab.core.batch import BatchT
from seqlab.core.network import Network
from seqlab.core.state import State
from seqlab.training.progress import Progress
from seqlab.training.sharing import Sharing

T = TypeVar("T")


class World:
    """One process alone. rank: the number of this process, of `size`."""

    rank, size = 0, 1

    def first(self, work: Callable[[], T]) -> T:
        """What `work` returns in the first process, in all of them. Others do not call it, and wait."""
        return work()

    def in_turn(self, work: Callable[[], T]) -> T:
        """What `work` returns in this process. The first one calls it before all others, which find what it stored."""
        return work()

    def watched(self) -> AbstractContextManager[object]:
        """The context of work with the others. Raises LostProcess if one of them has ended."""
        return nullcontext()

    def agree(self, progress: Progress, signal: int | None) -> None:
        """Let all have the same clock, and know of a signal that one of them has received."""

    def stop_signal(self, received: int | None) -> int | None:
        """The signal that all processes know of. received: by this one."""
        return received

    def share(self, window: BatchT) -> BatchT:
        """The rows of a batch that this process reads; its counts remain those of the whole batch."""
        return window

    def counts(self, rows: int) -> bool:
        """Whether this process has rows of its own in a batch of `rows`. With fewer rows than processes, some read one
        that counts elsewhere, since all must take part in every step."""
        return True

    def sharing(self, network: Network[Any], *, compiled: bool, sharded: bool) -> Sharing:
        """How the processes share a network that they train. sharded: each holds a shard of it, not a copy."""
        return Sharing(network, compiled=compiled)

    def total(self, value: Tensor) -> Tensor:
        """The sum over all processes."""
        return value

    def all_rows(self, state: State, rows: int) -> State:
        """The state of all `rows` rows of a batch, from those of each process; every process calls it."""
        return state

    def own_rows(self, state: State) -> State:
        """The inverse: the rows that this process reads."""
        return state

    def every(self, value: T) -> list[T]:
        """The value of each process, by rank, in all of them."""
        return [value]


ALONE = World()


def launched() -> bool:
    """Whether a launcher (torchrun, or our own) has started this process as one of a run's."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def block(rank: int, size: int, rows: int) -> slice:
    """The rows of a batch of `rows` that process `rank` of `size` reads: a contiguous block of its own, or the last row
    if there are too few."""
    first, end = rank * rows // size, (rank + 1) * rows // size
    return slice(first, end) if first < end else slice(rows - 1, rows)
