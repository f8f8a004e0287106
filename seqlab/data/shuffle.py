"""A random order of many items: a table where that is quick, else computed piece by piece."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

_TABLE = 2**20  # a table of ten times as many takes a third of a second before the first batch
_PIECE = 2**14
_ROUNDS = 6
_ODD = 0x9E3779B97F4A7C15 - 2**64  # 2^64 divided by the golden ratio, as a signed number: mixes well (Knuth 1998, 6.4)


def random_order(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The numbers from 0 to count - 1, each once, in an order that `generator` chooses, `size` of them at a time."""
    if count <= _TABLE:
        table_R = torch.randperm(count, generator=generator)
        for first in range(0, count, size):  # not split(), which makes a tensor for each batch at once
            yield table_R[first : first + size]
        return
    keys: list[int] = torch.randint(2**62, (_ROUNDS,), generator=generator).tolist()
    piece = size * math.ceil(_PIECE / size)
    for first in range(0, count, piece):
        yield from _mixed(torch.arange(first, min(first + piece, count)), count, keys).split(size)


def _mixed(place_R: Tensor, count: int, keys: list[int]) -> Tensor:
    """What stands at these places: a permutation of all numbers of so many bits, applied until it is below count. It
    comes back there, since a permutation has cycles."""
    half = math.ceil(math.log2(count) / 2)
    number_R = _feistel(place_R, half, keys)
    while (outside_R := number_R >= count).any():
        number_R = torch.where(outside_R, _feistel(number_R, half, keys), number_R)
    return number_R


def _feistel(number_R: Tensor, half: int, keys: list[int]) -> Tensor:
    """A permutation of all numbers of 2 x half bits (Luby and Rackoff 1988)."""
    mask = (1 << half) - 1
    left_R, right_R = number_R >> half, number_R & mask
    for key in keys:
        left_R, right_R = right_R, left_R ^ (((right_R + key) * _ODD) >> (63 - half) & mask)
    return left_R << half | right_R
