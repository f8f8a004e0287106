"""A split of sentence pairs as ids, and its batches.

Shape letters: B batch, S source time, T target time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from seqlab.data.batches import PairBatch
from seqlab.data.batching import Rows, bucketed
from seqlab.data.vocabulary import END, UnknownTokens, Vocabulary
from seqlab.data.words import NAMES, Unit


class EncodedPairs:
    """The pairs of one split as ids, each target with its END.

    longest: the most tokens of a source, or of a target without its END. A longer one is cut, never left out: every
    item of an evaluation counts. longest_source, longest_target: the most positions that one has, END counted.
    """

    def __init__(
        self,
        pairs: Iterable[tuple[Sequence[str], Sequence[str]]],
        sources: Vocabulary,
        targets: Vocabulary,
        longest: int,
    ) -> None:
        self.ids = [(sources.encode(a)[:longest], [*targets.encode(b)[:longest], END]) for a, b in pairs]
        self._sources, self._targets = (list(side) for side in zip(*self.ids, strict=True))
        self._rows = Rows(self._sources), Rows(self._targets)
        self.longest_source, self.longest_target = (max(map(len, side)) for side in (self._sources, self._targets))

    def batches(self, batch_size: int, seed: int | None, batch_tokens: int | None) -> Iterator[PairBatch]:
        """One pass, in batches of similar length (see bucketed)."""
        sizes = [(len(a), len(b)) for a, b in self.ids]
        for items_B in map(torch.tensor, bucketed(sizes, batch_size, seed, batch_tokens=batch_tokens)):
            yield self.gather(items_B)

    def gather(self, items_B: Tensor) -> PairBatch:
        """The batch of the pairs with these indices."""
        sources, targets = self._rows
        source_BS, read_BS = sources.take(items_B)
        target_BT, scored_BT = targets.take(items_B)
        count = int(scored_BT.sum())
        return PairBatch(
            source_BS=source_BS,
            target_BT=target_BT,
            items_B=items_B,
            target_count=count,
            positions=count + int(read_BS.sum()),
        )

    def unknown(self, unit: Unit) -> dict[str, UnknownTokens]:
        """The unknown tokens of each side."""
        return {
            f"source {NAMES[unit]}": UnknownTokens.of(self._sources),
            f"target {NAMES[unit]}": UnknownTokens.of(target[:-1] for target in self._targets),  # without END
        }
