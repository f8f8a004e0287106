"""Transcripts from the frame-wise probabilities of a CTC network (Graves 2006). T positions, V symbols."""

from __future__ import annotations

import math
from collections import defaultdict

import torch
from torch import Tensor

BLANK = 0
"""The symbol that writes nothing, and separates equal characters."""


def written_at(path: list[int]) -> list[tuple[int, int]]:
    """(position, symbol) of what a path of symbols, one a position, writes: of repetitions the first, and no blanks."""
    return [
        (at, symbol) for at, symbol in enumerate(path) if symbol != BLANK and (at == 0 or path[at - 1] != symbol)
    ]  # fmt: skip


def collapsed(path: list[int]) -> tuple[int, ...]:
    """What a path of symbols, one a position, writes: repetitions count once, then blanks are removed."""
    return tuple(symbol for _, symbol in written_at(path))


def greedy_path(log_probability_TV: Tensor) -> tuple[int, ...]:
    """What the likeliest path writes."""
    return collapsed(log_probability_TV.argmax(-1).tolist())


def prefix_beam_search(log_probability_TV: Tensor, beams: int) -> tuple[int, ...]:
    """The likeliest transcript, summed over all of its paths, that a search with so many prefixes finds (Hannun 2014,
    algorithm 1, without a language model).

    Of each prefix two numbers are kept: the log probability of its paths that end with a blank, and of those that end
    with its last character. A prefix is repeated, or extended by each character; extended by its own last character
    only from paths that end with a blank. With as many beams as there are transcripts the search is exhaustive.
    """
    kept: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for log_V in log_probability_TV.tolist():
        found: defaultdict[tuple[int, ...], tuple[float, float]] = defaultdict(lambda: (-math.inf, -math.inf))
        # beyond these, no extension of a prefix is among so many best ones, and none leads to a prefix that is kept
        likely = sorted(range(len(log_V)), key=lambda symbol: -log_V[symbol])[: beams + 2]
        symbols = {*likely, *(symbol for prefix in kept for symbol in prefix[-1:])} - {BLANK}
        for prefix, (blank, character) in kept.items():
            either = _sum(blank, character)
            repeated = character + log_V[prefix[-1]] if prefix else -math.inf
            found[prefix] = (_sum(found[prefix][0], either + log_V[BLANK]), _sum(found[prefix][1], repeated))
            for symbol in symbols:
                before, longer = blank if prefix[-1:] == (symbol,) else either, (*prefix, symbol)
                found[longer] = (found[longer][0], _sum(found[longer][1], before + log_V[symbol]))
        ranked = sorted(found.items(), key=lambda item: (-_sum(*item[1]), item[0]))
        kept = dict(ranked[:beams])
    return max(kept, key=lambda prefix: _sum(*kept[prefix]))


def _sum(one: float, other: float) -> float:
    """log(exp(one) + exp(other))."""
    low, high = min(one, other), max(one, other)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def best_symbols(logits_TV: Tensor, beams: int = 1) -> tuple[int, ...]:
    """The symbols, without blanks, of a position's scores: by the likeliest path, or by prefix beam search."""
    log_TV = torch.log_softmax(logits_TV.float(), -1)
    return greedy_path(log_TV) if beams == 1 else prefix_beam_search(log_TV, beams)
