"""The state of a network, nested tuples of tensors, in a file and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from seqlab.core.state import State

if TYPE_CHECKING:
    pass


def flatten_state(state: State) -> tuple[dict[str, Tensor], Any]:
    """A state as numbered tensors and its nesting, e.g. [["0", "1"]], for a file."""
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
    """Nested alike, and of the same sizes but for rows, and where a network starts with nothing and grows."""
    if isinstance(state, Tensor) and isinstance(initial, Tensor):
        sizes = zip(state.shape[1:], initial.shape[1:], strict=False)
        alike = state.ndim == initial.ndim and state.is_floating_point() == initial.is_floating_point()
        return alike and all(mine == theirs or theirs == 0 for mine, theirs in sizes)
    if isinstance(state, Tensor) or isinstance(initial, Tensor) or len(state) != len(initial):
        return False
    return all(resembles(mine, theirs) for mine, theirs in zip(state, initial, strict=True))
