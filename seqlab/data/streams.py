"""Running text as batches: parallel streams that continue from batch to batch, or windows in random order.

Shape letters: N tokens of a split, R rows, B rows of a batch, T time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from seqlab.data.batches import UNSCORED, TokenBatch
from seqlab.errors import DataError

_CONTEXT_TOKENS = 32_768  # in a batch of contexts: some tens of megabytes of activations


def training_streams(ids_N: Tensor, streams: int, window: int, seed: int) -> Iterator[TokenBatch]:
    """One pass over the text from a random start (`seed`), in at most `streams` parallel streams: every token is a
    target once, and each batch continues where the last one ended. A text shorter than streams x window has fewer
    streams."""
    streams = min(streams, len(ids_N) // window)
    rows = _rows(ids_N, torch.Generator().manual_seed(seed), streams, math.ceil(len(ids_N) / streams))
    return _in_windows(*rows, window)


def random_windows(ids_N: Tensor, batch_size: int, window: int, seed: int) -> Iterator[TokenBatch]:
    """One pass over the text in windows with random borders and order (`seed`): every token is a target once."""
    generator = torch.Generator().manual_seed(seed)
    inputs_RT, targets_RT = _rows(ids_N, generator, math.ceil(len(ids_N) / window), window)
    counts_R = (targets_RT != UNSCORED).sum(1)
    for rows_B in torch.randperm(len(inputs_RT), generator=generator).split(batch_size):
        scored = int(counts_R[rows_B].sum())
        yield TokenBatch(
            inputs_BT=inputs_RT[rows_B], targets_BT=targets_RT[rows_B], target_count=scored, positions=scored
        )


def evaluation_streams(ids_N: Tensor, streams: int, lead: int) -> Iterator[TokenBatch]:
    """The text in order, in evenly spread streams; each but the first warms up on the `lead` tokens before its own.
    Batches have half that many positions, so that a cache of `lead` positions is never empty."""
    inputs_N, targets_N = ids_N[:-1], ids_N[1:]
    streams = max(1, min(streams, len(inputs_N) // (2 * lead)))
    stride = math.ceil((len(inputs_N) - lead) / streams)
    missing = lead + streams * stride - len(inputs_N)
    inputs_BT = F.pad(inputs_N, (0, missing)).unfold(0, lead + stride, stride)
    targets_BT = F.pad(targets_N, (0, missing), value=UNSCORED).unfold(0, lead + stride, stride).clone()
    targets_BT[1:, :lead] = UNSCORED
    return _in_windows(inputs_BT, targets_BT, max(1, lead // 2), 1 + stride * torch.arange(streams))


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


def contexts(ids_N: Tensor, steps: int, longest: int, count: int, what: str) -> Iterator[TokenBatch]:
    """Rows of `steps` tokens with one target, the token after them: about `count` targets spread over the text, the
    same for every `steps` up to `longest`. Raises DataError, which names the text by `what`, if it is too short."""
    if len(ids_N) <= longest:
        raise DataError(f"{what} has {len(ids_N)} tokens, too few for a context of {longest}")
    chosen_R = torch.linspace(longest, len(ids_N) - 1, min(count, len(ids_N) - longest)).long()
    # equally many tokens in each batch, whatever the length of its rows
    for target_B in chosen_R.split(max(1, _CONTEXT_TOKENS // steps)):
        inputs_BT = ids_N[target_B[:, None] - steps + torch.arange(steps)]
        targets_BT = torch.full_like(inputs_BT, UNSCORED)
        targets_BT[:, -1] = ids_N[target_B]
        yield TokenBatch(
            inputs_BT=inputs_BT,
            targets_BT=targets_BT,
            starts_B=target_B - steps + 1,
            target_count=len(target_B),
            positions=inputs_BT.numel(),
        )


def _rows(ids_N: Tensor, generator: torch.Generator, rows: int, length: int) -> tuple[Tensor, Tensor]:
    """(inputs_RT, targets_RT) of the whole text from a random start, cut into rows of this length."""
    start = int(torch.randint(len(ids_N), (), generator=generator))
    follows_N = torch.cat((ids_N[1:], ids_N.new_tensor([UNSCORED])))
    missing = rows * length - len(ids_N)
    inputs_N = F.pad(ids_N.roll(-start), (0, missing))
    targets_N = F.pad(follows_N.roll(-start), (0, missing), value=UNSCORED)
    return inputs_N.view(rows, length), targets_N.view(rows, length)


def _in_windows(
    inputs_BT: Tensor, targets_BT: Tensor, window: int, starts_B: Tensor | None = None
) -> Iterator[TokenBatch]:
    scored_T = (targets_BT != UNSCORED).sum(0)
    pieces = zip(*(part.split(window, -1) for part in (inputs_BT, targets_BT, scored_T)), strict=True)
    for index, (inputs, targets, counts_T) in enumerate(pieces):
        scored = int(counts_T.sum())
        yield TokenBatch(
            inputs_BT=inputs,
            targets_BT=targets,
            starts_B=None if starts_B is None else starts_B + index * window,
            target_count=scored,
            positions=scored,
            continues=index > 0,
        )
