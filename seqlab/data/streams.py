"""Running text as batches: parallel streams that continue from batch to batch, or windows in random order.

Shape letters: N tokens of a split, R rows, K batches that are read at once, B rows of a batch, T time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby, islice

import torch
from torch import Tensor
from torch.nn import functional as F

from seqlab.data.batches import UNSCORED, TokenBatch
from seqlab.data.shuffle import random_order
from seqlab.data.token_ids import TokenIds
from seqlab.data.vocabulary import PAD
from seqlab.errors import DataError

_READ_AT_ONCE = 65_536  # places: reading takes a tenth of the smallest steps if each is read by itself
_CONTEXT_TOKENS = 32_768  # in a batch of contexts: some tens of megabytes of activations


def training_streams(ids: TokenIds, streams: int, window: int, seed: int) -> Iterator[TokenBatch]:
    """One pass over the text from a random start (`seed`), in at most `streams` parallel streams: every token is a
    target once, and each batch continues where the last one ended. A text shorter than streams x window has fewer
    streams."""
    streams = min(streams, len(ids) // window)
    start, length = _random_start(ids, torch.Generator().manual_seed(seed)), math.ceil(len(ids) / streams)
    first_B1 = length * torch.arange(streams)[:, None]
    whole = length // window * window
    for read_K in torch.arange(0, whole, window).split(max(1, _READ_AT_ONCE // (streams * window))):
        places_KBT = read_K[:, None, None] + first_B1 + torch.arange(window)
        yield from _rotated(ids, places_KBT, start, first_continuing=0 if read_K[0] else 1)
    if whole < length:
        places_BT = first_B1 + torch.arange(whole, length)
        yield from _rotated(ids, places_BT[None], start, first_continuing=0 if whole else 1)


def random_windows(ids: TokenIds, batch_size: int, window: int, seed: int) -> Iterator[TokenBatch]:
    """One pass over the text in windows with random borders and order (`seed`): every token is a target once."""
    generator = torch.Generator().manual_seed(seed)
    start = _random_start(ids, generator)
    rows = random_order(math.ceil(len(ids) / window), batch_size, generator)
    while read := list(islice(rows, max(1, _READ_AT_ONCE // (batch_size * window)))):
        for _, alike in groupby(read, len):  # the last batch may be smaller
            row_KB = torch.stack(list(alike))
            places_KBT = row_KB[..., None] * window + torch.arange(window)
            yield from _rotated(ids, places_KBT, start, first_continuing=len(row_KB))


def evaluation_streams(ids: TokenIds, streams: int, lead: int) -> Iterator[TokenBatch]:
    """The text in order, in evenly spread streams; each but the first warms up on the `lead` tokens before its own.
    Batches have half that many positions, so that a cache of `lead` positions is never empty."""
    pairs = len(ids) - 1
    streams = max(1, min(streams, pairs // (2 * lead)))
    stride, window = math.ceil((pairs - lead) / streams), max(1, lead // 2)
    first_B1 = stride * torch.arange(streams)[:, None]
    for read in range(0, lead + stride, window):
        step_T = torch.arange(read, min(read + window, lead + stride))
        places_BT = first_B1 + step_T
        scored_BT = (places_BT < pairs) & ((step_T >= lead) | (first_B1 == 0))
        inputs_BT, targets_BT = _read(ids, places_BT, places_BT < pairs, scored_BT)
        scored = int(scored_BT.sum())
        yield TokenBatch(
            inputs_BT=inputs_BT, targets_BT=targets_BT, starts_B=1 + first_B1[:, 0] + read, target_count=scored,
            positions=scored, continues=read > 0,
        )  # fmt: skip


def up_to(most: int | None, batches: Iterator[TokenBatch]) -> Iterator[TokenBatch]:
    """The first batches, with at most `most` targets in all; None: all batches."""
    scored = 0
    for batch in batches:
        scored += batch.target_count
        if most is not None and scored > most:
            return
        yield batch


def one_row(ids_T: list[int]) -> TokenBatch:
    """A batch with one whole text; its last token has no target."""
    ids_BT = torch.tensor([ids_T])
    targets_BT = F.pad(ids_BT[:, 1:], (0, 1), value=UNSCORED)
    return TokenBatch(inputs_BT=ids_BT, targets_BT=targets_BT, target_count=len(ids_T) - 1, positions=len(ids_T))


def contexts(ids: TokenIds, steps: int, longest: int, count: int, what: str) -> Iterator[TokenBatch]:
    """Rows of `steps` tokens with one target, the token after them: about `count` targets spread over the text, the
    same for every `steps` up to `longest`. Raises DataError, which names the text by `what`, if it is too short."""
    if len(ids) <= longest:
        raise DataError(f"{what} has {len(ids)} tokens, too few for a context of {longest}")
    chosen_R = torch.linspace(longest, len(ids) - 1, min(count, len(ids) - longest)).long()
    # equally many tokens in each batch, whatever the length of its rows
    for target_B in chosen_R.split(max(1, _CONTEXT_TOKENS // steps)):
        inputs_BT = ids.at(target_B[:, None] - steps + torch.arange(steps))
        targets_BT = torch.full_like(inputs_BT, UNSCORED)
        targets_BT[:, -1] = ids.at(target_B)
        yield TokenBatch(
            inputs_BT=inputs_BT,
            targets_BT=targets_BT,
            starts_B=target_B - steps + 1,
            target_count=len(target_B),
            positions=inputs_BT.numel(),
        )


def _random_start(ids: TokenIds, generator: torch.Generator) -> int:
    return int(torch.randint(len(ids), (), generator=generator))


def _rotated(ids: TokenIds, places_KBT: Tensor, start: int, *, first_continuing: int) -> Iterator[TokenBatch]:
    """The batches at these places of the text that begins at `start` and goes on from its own beginning; the token
    after its last one is none of its own, and not scored. Those from number `first_continuing` on continue the one
    before."""
    there_KBT, places_KBT = places_KBT < len(ids), (start + places_KBT) % len(ids)
    scored_KBT = there_KBT & (places_KBT < len(ids) - 1)
    read = zip(*_read(ids, places_KBT, there_KBT, scored_KBT), scored_KBT.sum((1, 2)).tolist(), strict=True)
    for number, (inputs_BT, targets_BT, scored) in enumerate(read):
        yield TokenBatch(
            inputs_BT=inputs_BT, targets_BT=targets_BT, target_count=scored, positions=scored,
            continues=number >= first_continuing,
        )  # fmt: skip


def _read(ids: TokenIds, places: Tensor, there: Tensor, scored: Tensor) -> tuple[Tensor, Tensor]:
    """(what stands at these places, what stands after them), in their shape. there: the places that exist; scored:
    those with a target."""
    inputs = ids.at(places.where(there, 0)).masked_fill(~there, PAD)
    return inputs, ids.at((places + 1).where(scored, 0)).masked_fill(~scored, UNSCORED)
