"""A split of labelled texts as ids, and its batches. B batch, T time, N tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from seqlab.data.batches import LabelledBatch
from seqlab.data.batching import Rows, bucketed, python_draws
from seqlab.data.vocabulary import UNKNOWN, UnknownTokens
from seqlab.data.words import NAMES, Unit


class EncodedTexts:
    """The texts of one split as ids of tokens, each with the index of its label. longest: tokens of the longest."""

    def __init__(self, ids: Sequence[list[int]], labels: list[int]) -> None:
        self.ids, self.labels = list(ids), labels
        self.longest = max(map(len, self.ids))
        self._rows, self._label_N = Rows(self.ids), torch.tensor(labels)

    def batches(
        self, batch_size: int, seed: int | None, batch_tokens: int | None = None, word_dropout: float = 0.0
    ) -> Iterator[LabelledBatch]:
        """One pass, in batches of similar length (see bucketed). word_dropout: the probability that a token is read as
        unknown, drawn by the seed."""
        drop = python_draws(f"word dropout {seed}") if word_dropout else None
        sizes = [(len(row),) for row in self.ids]
        for items_B in map(torch.tensor, bucketed(sizes, batch_size, seed, batch_tokens=batch_tokens)):
            tokens_BT, valid_BT = self._rows.take(items_B)
            if drop is not None:
                dropped_N = torch.from_numpy(drop.random_sample(int(valid_BT.sum())) < word_dropout)
                tokens_BT = tokens_BT.masked_scatter(valid_BT, tokens_BT[valid_BT].masked_fill(dropped_N, UNKNOWN))
            yield LabelledBatch.of(tokens_BT, valid_BT, self._label_N[items_B], items_B)

    def whole(self) -> LabelledBatch:
        """All texts in one batch, in their order."""
        everything = torch.arange(len(self.ids))
        return LabelledBatch.of(*self._rows.take(everything), self._label_N, everything)

    def unknown(self, unit: Unit) -> dict[str, UnknownTokens]:
        """The unknown tokens."""
        return {NAMES[unit]: UnknownTokens.of(self.ids)}
