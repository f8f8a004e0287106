"""The state of a network, nested tuples of tensors, as named tensors for a file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from seqlab.core.state import State


def flatten_state(state: State) -> tuple[dict[str, Tensor], Any]:
    """(numbered tensors, the nesting of their numbers), e.g. [["0", "1"]]."""
    tensors: dict[str, Tensor] = {}

    def visit(part: State) -> Any:
        if isinstance(part, Tensor):
            tensors[str(len(tensors))] = part
            return str(len(tensors) - 1)
        return [visit(inner) for inner in part]

    shape = visit(state)
    return tensors, shape


def unflatten_state(tensors: Mapping[str, Tensor], shape: Any) -> State:
    """The inverse of flatten_state."""
    if isinstance(shape, str):
        return tensors[shape]
    return tuple(unflatten_state(tensors, inner) for inner in shape)


def resembles(state: State, initial: State) -> bool:
    """Whether a state can follow from `initial`: the same nesting, dimensions and sizes, apart from rows and from
    dimensions that start with size 0 and grow."""
    if isinstance(state, Tensor) and isinstance(initial, Tensor):
        sizes = zip(state.shape[1:], initial.shape[1:], strict=False)
        alike = state.ndim == initial.ndim and state.is_floating_point() == initial.is_floating_point()
        return alike and all(mine == theirs or theirs == 0 for mine, theirs in sizes)
    if isinstance(state, Tensor) or isinstance(initial, Tensor) or len(state) != len(initial):
        return False
    return all(resembles(mine, theirs) for mine, theirs in zip(state, initial, strict=True))
