"""Locating a leak: which output depends on which input.

Shape letters: R rows, T time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

Depends: TypeAlias = Callable[[Tensor, Tensor], bool]
"""depends(outputs_RT, inputs_RT): whether any output where the first mask is True depends on any input where the second
is."""


class Leak(NamedTuple):
    """The output at `position` depends on the input at `source`, of the same row or (`across`) of another one."""

    position: int
    source: int
    across: bool


def locate(depends: Depends, cut_R: Tensor, steps: int) -> Leak:
    """The positions of a leak, given that each row was cut at a position of its own: from a later input of the same row
    or, if there is none, from another row."""
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
    # the nearest input on which this position depends
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
    """The largest number from `low` to `high` for which `holds` is true, by bisection: it must be true for `low`, and
    for all numbers below one for which it is true."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
