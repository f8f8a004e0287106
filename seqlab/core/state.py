"""What a network remembers between batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import torch
from torch import Tensor

State: TypeAlias = "Tensor | tuple[State, ...]"
"""What a network remembers between batches; () if nothing. Dimension 0 of every tensor is the row.
The trainer never looks inside."""


def detach(state: State) -> State:
    """Cut the autograd history and keep the values: the truncation of truncated BPTT."""
    return state.detach() if isinstance(state, Tensor) else tuple(detach(part) for part in state)


def select_rows(state: State, rows_R: Tensor) -> State:
    """The state of the rows with these indices, in this order (beam search, shrinking batches)."""
    if isinstance(state, Tensor):
        return state.index_select(0, rows_R)
    return tuple(select_rows(part, rows_R) for part in state)


def tensors(state: State) -> Iterator[Tensor]:
    """Every tensor of a state, in its order."""
    if isinstance(state, Tensor):
        yield state
    else:
        for part in state:
            yield from tensors(part)


def size_in_bytes(state: State) -> int:
    """The bytes that its tensors take in memory."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors(state))


def same_shapes(state: State, other: State) -> bool:
    """Whether two states are nested alike, with tensors of the same shapes."""
    if isinstance(state, Tensor) or isinstance(other, Tensor):
        return isinstance(state, Tensor) and isinstance(other, Tensor) and state.shape == other.shape
    return len(state) == len(other) and all(map(same_shapes, state, other))


def where(condition: Tensor, state: State, other: State) -> State:
    """`state` if the condition () holds, else `other`, which is nested alike; decided on the device."""
    if isinstance(state, Tensor) and isinstance(other, Tensor):
        return torch.where(condition, state, other)
    return tuple(where(condition, mine, theirs) for mine, theirs in zip(state, other, strict=True))
