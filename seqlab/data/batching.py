"""From lists of ids to padded tensors, and from a corpus to an order of batches."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from seqlab.data.vocabulary import PAD

Item = TypeVar("Item")


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """(B, T) ids, each row filled up at its right with PAD."""
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows], dtype=torch.long)


def bucketed(lengths: Sequence[int], batch_size: int, seed: int | None, pool: int = 50) -> list[list[int]]:
    """Indices in batches of similar length, so that little padding is read.

    With a seed: shuffled, sorted by length inside pools of `pool` batches, and the batches shuffled again.
    Without: sorted by length throughout, the same every time.
    """
    order = list(range(len(lengths)))
    if seed is None:
        order.sort(key=lambda i: lengths[i])
        return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    rng = random.Random(seed)
    rng.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), pool * batch_size):
        chosen = sorted(order[start : start + pool * batch_size], key=lambda i: lengths[i])
        batches += [chosen[i : i + batch_size] for i in range(0, len(chosen), batch_size)]
    rng.shuffle(batches)
    return batches


def split_items(items: Sequence[Item], shares: tuple[float, float, float], seed: int) -> dict[str, list[Item]]:
    """Train, validation and test parts of these shares, after one shuffle by `seed`."""
    order = list(items)
    random.Random(seed).shuffle(order)
    first = round(shares[0] * len(order))
    second = first + round(shares[1] * len(order))
    return {"train": order[:first], "validation": order[first:second], "test": order[second:]}
