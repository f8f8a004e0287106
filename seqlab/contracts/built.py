"""The sequence models that a task builds, each with its role, and the conditions under which they are checked.

Shape letters: R rows, T time, S source time, D width.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqlab.core.model import Memory, ModelConfig, Role, SequenceModel
from seqlab.core.network import Network
from seqlab.core.state import State
from seqlab.core.task import Task
from seqlab.training.device import own_threads
from seqlab.training.seeds import random_states, seed_global_generators, set_random_states

_SOURCE_STEPS = 5  # positions of the memory that a cross decoder reads


@dataclass(frozen=True)
class Built:
    """A sequence model to check. `name`: as the user chose it; `steps`: the largest number of positions that it reads
    at once; `width`: D."""

    name: str
    model: SequenceModel
    role: Role
    width: int
    steps: int

    def inputs(self, rows: int, steps: int) -> Tensor:
        """Random x_RTD with unit variance, like embeddings."""
        return torch.randn(rows, steps, self.width)

    def memory(self, rows: int) -> Memory | None:
        """A random source for a cross decoder, with rows of different lengths; None for the other roles."""
        if self.role is not Role.CROSS_DECODER:
            return None
        length_R1 = 1 + torch.arange(rows)[:, None] % _SOURCE_STEPS
        values_RSD = torch.randn(rows, _SOURCE_STEPS, self.width)
        return Memory(values_RSD, torch.arange(_SOURCE_STEPS) < length_R1, torch.randn(rows, self.width))

    def about(self) -> str:
        """Its name in messages: "model=lstm as a decoder"."""
        return f"{self.name} as {'an' if self.role is Role.ENCODER else 'a'} {self.role.value.replace('_', ' ')}"


def build(task: Task[Any], model: ModelConfig, name: str) -> tuple[Network[Any], tuple[Built, ...]]:
    """The task's network, and every sequence model that the task built from `model` for it."""
    found: list[tuple[SequenceModel, Role, int]] = []

    def build_and_note(self: ModelConfig, role: Role) -> SequenceModel:
        made = type(model).build(self, role)
        found.append((made, role, self.width))
        return made

    # a subclass and not a wrapper: the task may read the settings, copy them, or derive others from them
    kind: Any = type(type(model))
    noting = kind(type(model).__name__, (type(model),), {"__slots__": (), "build": build_and_note})
    settings = copy.copy(model)
    object.__setattr__(settings, "__class__", noting)
    network = task.build_network(settings)
    inside = set(network.modules())
    return network, tuple(
        Built(name, made, role, width, min(task.longest(), made.context or task.longest()))
        for made, role, width in found
        if made in inside
    )


@contextmanager
def undisturbed() -> Iterator[None]:
    """Seed the global random generators for the checks, and restore them afterwards."""
    before = random_states("cpu")
    seed_global_generators(0, "contracts")
    try:
        yield
    finally:
        set_random_states("cpu", *before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread, as is best for many small operations: beside another process, threads that wait for each
    other at each of them make a loop over time ten times slower."""
    with own_threads():
        torch.set_num_threads(1)
        yield


@contextmanager
def shaken(module: nn.Module, scale: float, sign: int) -> Iterator[None]:
    """Add noise to every weight, and restore the weights afterwards: a gate that is initialised to zero would hide what
    it gates. sign: of the noise, since a gate may open in one direction only."""
    weights = [p for p in module.parameters() if p.is_floating_point() or p.is_complex()]
    before = [p.detach().clone() for p in weights]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in weights:
            fan_in = p[0].numel() if p.dim() > 1 and len(p) else 1
            noise = torch.randn(p.shape, generator=generator, dtype=p.dtype)
            p.add_(noise, alpha=sign * scale / fan_in**0.5)
    try:
        yield
    finally:
        with torch.no_grad():
            for p, value in zip(weights, before, strict=True):
                p.copy_(value)


def read(
    built: Built,
    x_RTD: Tensor,
    state: State | None = None,
    *,
    valid_RT: Tensor | None = None,
    memory: Memory | None = None,
) -> tuple[Tensor, State]:
    """(y_RTD, the state after it), with the generators seeded equally each time, so that dropout masks are the same."""
    seed_global_generators(0, "contracts, a call")
    state = built.model.initial_state(len(x_RTD)) if state is None else state
    y_RTD, after = built.model(x_RTD, state, valid_BT=valid_RT, memory=memory)
    return y_RTD, after
