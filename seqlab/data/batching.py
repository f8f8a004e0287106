"""Padding rows of ids to tensors, and grouping the items of a corpus into batches."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from seqlab.core.batch import Split
from seqlab.data.shuffle import random_order
from seqlab.data.vocabulary import PAD

Item = TypeVar("Item")


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """ids_BT: the rows, padded on the right."""
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows], dtype=torch.long)


class Rows:
    """Rows of ids of any lengths, stored in one tensor, so that a padded batch is gathered in one call."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.ids_N = torch.tensor([token for row in rows for token in row], dtype=torch.long)
        self.length_R = torch.tensor([len(row) for row in rows], dtype=torch.long)
        self.start_R = self.length_R.cumsum(0) - self.length_R

    def take(self, rows_B: Tensor) -> tuple[Tensor, Tensor]:
        """(ids_BT, valid_BT) of the rows with these indices, padded on the right."""
        length_B1 = self.length_R[rows_B, None]
        at_T = torch.arange(int(length_B1.max()))
        valid_BT = at_T < length_B1
        # beyond the end of a row any id will do: it is masked
        at_BT = (self.start_R[rows_B, None] + at_T).clamp(max=len(self.ids_N) - 1)
        return self.ids_N[at_BT].masked_fill(~valid_BT, PAD), valid_BT


def in_batches(count: int, batch_size: int, seed: int | None) -> Iterator[Tensor]:
    """items_B: the indices of `count` items in batches, each once, shuffled by the seed, or in order without one."""
    if seed is None:
        yield from torch.arange(count).split(batch_size)
    else:
        yield from random_order(count, batch_size, torch.Generator().manual_seed(seed))


def bucketed(
    sizes: Sequence[tuple[int, ...]],
    batch_size: int,
    seed: int | None,
    *,
    batch_tokens: int | None = None,
    pool: int = 50,
) -> list[list[int]]:
    """Batches of item indices, with items of similar length together so that there is little padding.

    sizes: for each item, the lengths of its sequences, e.g. (source, target). A batch has `batch_size` items or, with
    `batch_tokens`, at most that many positions including padding (a longer item has a batch of its own). With a seed,
    items are shuffled, sorted by length within pools of about `pool` batches, and the batches are shuffled. Without a
    seed, all items are sorted by length, the same every time.
    """
    order = list(range(len(sizes)))

    def cut(items: list[int]) -> list[list[int]]:
        items = sorted(items, key=lambda i: sum(sizes[i]))
        if batch_tokens is not None:
            return _cut_by_tokens(items, sizes, batch_tokens)
        return [items[i : i + batch_size] for i in range(0, len(items), batch_size)]

    if seed is None:
        return cut(order)
    rng = random.Random(seed)
    rng.shuffle(order)
    in_batch = batch_size
    if batch_tokens is not None:
        in_batch = max(1, batch_tokens * len(sizes) // max(1, sum(map(sum, sizes))))
    batches: list[list[int]] = []
    for start in range(0, len(order), pool * in_batch):
        batches += cut(order[start : start + pool * in_batch])
    rng.shuffle(batches)
    return batches


def _cut_by_tokens(items: Sequence[int], sizes: Sequence[tuple[int, ...]], tokens: int) -> list[list[int]]:
    batches: list[list[int]] = []
    longest: tuple[int, ...] = ()
    for item in items:
        wider = tuple(map(max, longest, sizes[item])) if longest else sizes[item]
        if batches and (len(batches[-1]) + 1) * sum(wider) <= tokens:
            batches[-1].append(item)
            longest = wider
        else:
            batches.append([item])
            longest = sizes[item]
    return batches


def python_draws(seed: str) -> np.random.RandomState:
    """A generator whose random_sample draws the numbers of random.Random(seed).random(), many at a time."""
    _, words, _ = random.Random(seed).getstate()
    generator = np.random.RandomState()
    generator.set_state(("MT19937", np.array(words[:-1], dtype=np.uint32), words[-1], 0, 0.0))
    return generator


def split_items(items: Sequence[Item], shares: tuple[float, float, float], seed: int) -> dict[Split, list[Item]]:
    """Train, validation and test parts with these shares, after one shuffle with `seed`."""
    order = list(items)
    random.Random(seed).shuffle(order)
    first = round(shares[0] * len(order))
    second = first + round(shares[1] * len(order))
    return {"train": order[:first], "validation": order[first:second], "test": order[second:]}
