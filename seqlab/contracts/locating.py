"""Between which positions a leak is: which output depends on which input.

Shape letters: R rows, T time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

Depends: TypeAlias = Callable[[Tensor, Tensor], bool]
"""Whether any output at (R, T) True positions depends on any input at others, also (R, T)."""


class Leak(NamedTuple):
    """The output at `position` depends on the input at `source`; across: of another row."""

    position: int
    source: int
    across: bool


def locate(depends: Depends, cut_R: Tensor, steps: int) -> Leak:
    """The leak that `depends` knows of, where each row was cut at a position of its own: a later one of the same row,
    or else one of another row."""
    return next(
        (leak for row, cut in enumerate(cut_R.tolist()) if (leak := _within(depends, len(cut_R), steps, row, cut))),
        None,
    ) or _across(depends, len(cut_R), steps)


def _within(depends: Depends, rows: int, steps: int, row: int, cut: int) -> Leak | None:
    def at(first: int, last: int) -> Tensor:
        mask_RT = torch.zeros(rows, steps, dtype=torch.bool)
        mask_RT[row, first : last + 1] = True
        return mask_RT

    later_RT = at(cut + 1, steps - 1)
    if cut < 0 or not depends(at(0, cut), later_RT):
        return None
    position = _last(0, cut, lambda first: depends(at(first, cut), later_RT))
    # of the inputs that this position knows, the nearest
    beyond = _last(0, steps - 2 - cut, lambda count: depends(at(position, position), at(cut + 1, steps - 1 - count)))
    return Leak(position, steps - 1 - beyond, across=False)


def _across(depends: Depends, rows: int, steps: int) -> Leak:
    own_RT = torch.zeros(rows, steps, dtype=torch.bool)
    own_RT[-1] = True
    time_T = torch.arange(steps)
    position = _last(0, steps - 1, lambda first: depends(~own_RT & (time_T >= first), own_RT))
    there_RT = ~own_RT & (time_T == position)
    return Leak(position, _last(0, steps - 1, lambda first: depends(there_RT, own_RT & (time_T >= first))), across=True)


def _last(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The largest number from `low` to `high` for which it holds, given that it holds for `low`, and for whatever is
    less than one for which it holds."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
