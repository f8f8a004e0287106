"""Several processes of a run, forked from this one, which has imported everything already."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from seqlab.checkpoints.retention import newest_whole
from seqlab.checkpoints.saving import load_checkpoint
from seqlab.checkpoints.trainer_state import restore
from seqlab.training.device import Device, Division, Precision
from seqlab.training.distributed import join
from seqlab.training.seeds import seed_global_generators
from seqlab.training.trainer import Trainer
from seqlab.training.world import ALONE, World
from tests.conftest import tiny_config, tiny_network, tiny_task

T = TypeVar("T")


def in_processes(count: int, work: Callable[[World], T]) -> list[T]:
    """What `work` returns in each of `count` processes, by rank; an error in one of them fails the test."""
    if count == 1:
        return [work(ALONE)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    forking = multiprocessing.get_context("fork")
    pipes = [forking.Pipe(duplex=False) for _ in range(count)]

    def member(rank: int) -> None:
        torch.set_num_threads(1)
        os.environ |= {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo",
        }  # fmt: skip
        world = join()
        pipes[rank][1].send(work(world))
        dist.destroy_process_group()

    members = [forking.Process(target=member, args=(rank,)) for rank in range(count)]
    for process in members:
        process.start()
    for _, writing in pipes:
        writing.close()
    try:
        return [reading.recv() for reading, _ in pipes]
    finally:
        for process in members:
            process.join(60)
            process.kill()


class Read:
    """The trainer of one process, and digests of the rows that it has read, by window."""

    def __init__(
        self,
        world: World,
        model: str,
        task: str,
        *overrides: str,
        folder: Path | None = None,
        sharding: Division = "ddp",
        precision: Precision = "fp32",
    ) -> None:
        config = tiny_config(model, task, *overrides)
        device = Device(torch.device("cpu"), precision, compile=False, world=world, sharding=sharding)
        torch.manual_seed(5)
        network = tiny_network(config)
        seed_global_generators(0, "dropout", world.rank)
        self.rows: list[list[str]] = []
        self.trainer: Trainer[Any] = Trainer(
            tiny_task(config), network, config.optim, config.trainer, device, seed=0, folder=folder
        )
        self.trainer.update.sharing.trained.register_forward_pre_hook(self._note)
        if folder is not None and (found := newest_whole(folder, load_checkpoint)) is not None:
            restore(self.trainer, found[1], str(found[0]))

    def _note(self, network: torch.nn.Module, arguments: Sequence[Any]) -> None:
        if network.training:
            tensors = [value for value in vars(arguments[0]).values() if isinstance(value, Tensor)]
            self.rows.append([_digest([tensor[row] for tensor in tensors]) for row in range(len(tensors[0]))])

    def weights(self) -> list[Tensor]:
        return [parameter.detach().clone() for parameter in self.trainer.network.parameters()]


def together(parts: list[list[list[str]]]) -> list[list[str]]:
    """The rows of each window, from those of each process."""
    return [[row for rows in windows for row in rows] for windows in zip(*parts, strict=True)]


def _digest(tensors: Sequence[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
