"""Multi-query associative recall: pairs of keys and values, then keys whose values are asked for (many-to-many).

Arora 2023 (Zoology, arXiv:2312.04927): the places of the queries follow a power law, as those of repeated words in a
text do. B rows, T time, P pairs, Q queries, N to choose from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.baseline import Baseline
from seqlab.core.batch import Split
from seqlab.core.fields import Count, Positive
from seqlab.data.batches import UNSCORED, TokenBatch
from seqlab.kinds.generated import GeneratedConfig
from seqlab.kinds.token_probe import FIRST, TokenProbe, smallest, token_batch
from seqlab.metrics.answers import answer_metrics

_LEAST = 3  # tokens: one key and two values


@config_dataclass(frozen=True, kw_only=True)
class RecallConfig(GeneratedConfig):
    """Settings of `task=recall`. length: positions of a sequence. pairs: of a key and its value, with which it begins.
    queries: how many of the keys are asked for, each once; null: all. vocabulary: half keys, half values. gap_power: a
    of the power law k^(a-1) of the k-th place for a query."""

    pairs: Count
    queries: Count | None
    vocabulary: Count
    gap_power: Positive

    def __post_init__(self) -> None:
        if self.query_count > self.pairs:
            raise ValueError(
                f"task.queries={self.queries} is more than task.pairs={self.pairs}, and each key is asked for once; "
                f"try task.queries={self.pairs}"
            )
        if self.vocabulary < 2 * self.pairs:
            raise ValueError(
                f"task.vocabulary={self.vocabulary} has {self.vocabulary // 2} keys, fewer than "
                f"task.pairs={self.pairs}; try task.vocabulary={2 * self.pairs} or more"
            )
        if self.vocabulary < _LEAST:
            raise ValueError(
                f"task.vocabulary={self.vocabulary} has one value, which is known without reading; "
                f"try task.vocabulary={_LEAST} or more"
            )
        super().__post_init__()

    @property
    def query_count(self) -> int:
        """Q."""
        return self.pairs if self.queries is None else self.queries

    def shortest(self) -> tuple[int, str]:
        why = f"task.pairs={self.pairs} and {self.query_count} queries, of two positions each"
        return 2 * (self.pairs + self.query_count), why

    def build(self) -> Recall:
        return Recall(self)


class Recall(TokenProbe):
    """Pairs first; then, at even distances, queries; tokens other than the keys of the pairs at all other positions."""

    config: RecallConfig

    def __init__(self, config: RecallConfig) -> None:
        self.keys, self.values = config.vocabulary // 2, config.vocabulary - config.vocabulary // 2
        super().__init__(config, [*(f"k{i}" for i in range(self.keys)), *(f"v{i}" for i in range(self.values))])

    def longest(self) -> int:
        return self.config.length

    def _parts(self) -> list[int]:
        """How many numbers are for keys, values, which pairs are asked for, places of queries, and other tokens."""
        pairs, length = self.config.pairs, self.config.length
        return [self.keys, self.values, pairs, (length - 2 * pairs) // 2, length]

    def numbers(self) -> int:
        return sum(self._parts())

    def sequences(self, drawn_BK: Tensor, items_B: Tensor) -> TokenBatch:
        config, begin = self.config, 2 * self.config.pairs
        key_BN, value_BN, pair_BP, place_BN, other_BT = drawn_BK.split(self._parts(), 1)
        key_BP, value_BP = smallest(key_BN, config.pairs), self.keys + smallest(value_BN, config.pairs)
        asked_BQ = smallest(pair_BP, config.query_count)
        # the smallest of exponential numbers with rates p are a choice without replacement by p (Efraimidis 2006); in
        # logarithms, since a high power overflows
        log_rate_N = (config.gap_power - 1) * torch.arange(1, place_BN.shape[1] + 1).double().log()
        place_BQ = begin + 2 * smallest((-torch.log1p(-place_BN)).log() - log_rate_N, config.query_count)

        inputs_BT = ((config.vocabulary - config.pairs) * other_BT).long()
        for key_B1 in key_BP.sort(1).values.split(1, 1):  # counts on where a key is left out
            inputs_BT += inputs_BT >= key_B1
        inputs_BT[:, 0:begin:2], inputs_BT[:, 1:begin:2] = key_BP, value_BP
        inputs_BT.scatter_(1, place_BQ, key_BP.gather(1, asked_BQ))
        targets_BT = torch.full_like(inputs_BT, UNSCORED)
        targets_BT.scatter_(1, place_BQ, FIRST + value_BP.gather(1, asked_BQ))
        return token_batch(FIRST + inputs_BT, targets_BT)

    def source_places(self, batch: TokenBatch) -> Tensor:
        """A query's value stands behind its key, in one of the pairs."""
        begin = 2 * self.config.pairs
        same_BTP = batch.inputs_BT[..., None] == batch.inputs_BT[:, None, 0:begin:2]
        same_BTP[:, :begin] = False
        return torch.where(same_BTP.any(-1), 1 + 2 * same_BTP.int().argmax(-1), -1)

    def chance(self, split: Split) -> Baseline:
        about = f"each of {self.values} values as likely"
        return Baseline("memoryless", about, answer_metrics(1 / self.values, math.log(self.values), "answer"))

    def shorten(self, tokens: Sequence[str]) -> Sequence[str]:
        return tokens

    def parse(self, tokens: Sequence[str]) -> tuple[Sequence[str], Sequence[int]]:
        """Asked for is a key that one of the pairs had with which the sequence begins."""
        keys: set[str] = set()
        for key, value in zip(tokens[::2], tokens[1::2], strict=False):
            if not (key.startswith("k") and value.startswith("v")) or key in keys or len(keys) == self.config.pairs:
                break
            keys.add(key)
        return tokens, [place for place, token in enumerate(tokens) if token in keys and place >= 2 * len(keys)]
