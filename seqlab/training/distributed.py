"""Several processes that train one network, over gloo on CPUs and NCCL on GPUs.

All processes go through the same data and cut their rows from the same batches. So the order of the data is a function
of seed and step, whatever their number, and each knows every count (targets, tokens, epochs) without asking. What
they must ask for is the sum of the losses, the gradient, the clock and signals.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from seqlab.core.batch import BatchT
from seqlab.core.network import Network
from seqlab.core.state import State, detach, select_rows, tensors
from seqlab.errors import Followed, LostProcess
from seqlab.training.copies import Copies
from seqlab.training.progress import Progress
from seqlab.training.sharing import Sharing
from seqlab.training.world import ALONE, World, block, launched

T = TypeVar("T")
# others wait while the first one validates, which may take hours
_PATIENCE = timedelta(days=7)


def join() -> World:
    """The processes that a launcher has started, this one among them; this process alone where none has."""
    if not launched() or os.environ["WORLD_SIZE"] == "1":
        return ALONE
    if not dist.is_initialized():
        gpus = torch.cuda.is_available() and dist.is_nccl_available()
        with _lost_process():
            store, rank, size = next(rendezvous("env://", timeout=_PATIENCE))
            # torch's launcher keeps its store when it starts processes again, with the addresses of those that are gone
            attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
            store = dist.PrefixStore(f"attempt-{attempt}", store)  # type: ignore[attr-defined]
            # signals, the clock and checkpoints go through the CPUs, so that a GPU is not kept waiting
            backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
    return Processes(dist.get_rank(), dist.get_world_size())


@contextmanager
def _lost_process() -> Iterator[None]:
    """Turn the failure of a collective operation into what it means: another process has ended."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if not isinstance(error, dist.DistError) and "gloo" not in text and "NCCL" not in text:
            raise
        raise LostProcess("another process of this run has ended", "it was killed, or has said why") from error


class Processes(World):
    """This process, number `rank`, among `size`. Each method is called by all of them, in the same order."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.agreed: int | None = None

    def first(self, work: Callable[[], T]) -> T:
        """Raises what `work` raises, and in the other processes Followed."""
        told: list[Any] = [None]
        if self.rank == 0:
            try:
                told = [(True, work())]
            except BaseException as error:
                dist.broadcast_object_list([(False, getattr(error, "exit_code", 1))], src=0)
                raise
        dist.broadcast_object_list(told, src=0)
        done, value = told[0]
        if not done:
            raise Followed("the first process has ended", "it says why", value)
        result: T = value
        return result

    def in_turn(self, work: Callable[[], T]) -> T:
        if self.rank:
            self.first(lambda: None)
            return work()
        made: list[T] = []
        self.first(lambda: made.append(work()))
        return made[0]

    def watched(self) -> AbstractContextManager[object]:
        return _lost_process()

    def agree(self, progress: Progress, signal: int | None) -> None:
        both = torch.tensor([progress.seconds, float(signal or 0)], dtype=torch.float64)
        dist.all_reduce(both, dist.ReduceOp.MAX)
        progress.seconds, self.agreed = float(both[0]), int(both[1]) or None

    def stop_signal(self, received: int | None) -> int | None:
        return self.agreed

    def share(self, window: BatchT) -> BatchT:
        return window.rows(block(self.rank, self.size, window.size))

    def counts(self, rows: int) -> bool:
        return self.rank * rows // self.size < (self.rank + 1) * rows // self.size

    def sharing(self, network: Network[Any], *, compiled: bool, sharded: bool) -> Sharing:
        if not sharded:
            return Copies(network, compiled=compiled)
        from seqlab.training.shards import Shards  # torch's sharding takes a second to import

        return Shards(network, compiled=compiled)

    def total(self, value: Tensor) -> Tensor:
        dist.all_reduce(value)
        return value

    def all_rows(self, state: State, rows: int) -> State:
        shares = self.every(_on_cpu(detach(state)) if self.counts(rows) else None)
        return _joined([share for share in shares if share is not None])

    def own_rows(self, state: State) -> State:
        rows = next((len(tensor) for tensor in tensors(state)), 0)
        if not rows:
            return state
        own = block(self.rank, self.size, rows)
        return select_rows(state, torch.arange(own.start, own.stop, device=next(tensors(state)).device))

    def every(self, value: T) -> list[T]:
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found


def _on_cpu(state: State) -> State:
    return state.cpu() if isinstance(state, Tensor) else tuple(map(_on_cpu, state))


def _joined(shares: list[State]) -> State:
    """The rows of all shares, which are nested alike."""
    if isinstance(shares[0], Tensor):
        return torch.cat([share for share in shares if isinstance(share, Tensor)])
    return tuple(_joined(list(parts)) for parts in zip(*shares, strict=True))
