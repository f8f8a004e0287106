"""Selective copying: tokens at random places among noise are written out in order (many-to-many). B rows, T time.

Gu & Dao 2023 (Mamba), section 4.1.1: because the gaps differ, no fixed filter solves it, and a model must select by
content. C tokens to be copied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.baseline import Baseline
from seqlab.core.batch import Split
from seqlab.core.fields import Count
from seqlab.data.batches import UNSCORED, TokenBatch
from seqlab.errors import DataError
from seqlab.kinds.generated import GeneratedConfig
from seqlab.kinds.token_probe import FIRST, TokenProbe, names, smallest, token_batch
from seqlab.metrics.answers import answer_metrics

_NOISE, _MARKER = ".", "?"


@config_dataclass(frozen=True, kw_only=True)
class SelectiveCopyConfig(GeneratedConfig):
    """Settings of `task=selective_copy`. length: positions of tokens and noise; as many markers as tokens follow.
    data_tokens: how many are to be copied. vocabulary: how many different ones there are."""

    renamed: ClassVar[Mapping[str, str]] = {"tokens": "data_tokens"}

    data_tokens: Count
    vocabulary: Count

    def __post_init__(self) -> None:
        if self.vocabulary == 1:
            raise ValueError("task.vocabulary=1 has one token, which is known without reading; try 2 or more")
        super().__post_init__()

    def shortest(self) -> tuple[int, str]:
        return self.data_tokens, f"task.data_tokens={self.data_tokens}"

    def build(self) -> SelectiveCopy:
        return SelectiveCopy(self)


class SelectiveCopy(TokenProbe):
    """Tokens among noise, and as many markers."""

    config: SelectiveCopyConfig

    def __init__(self, config: SelectiveCopyConfig) -> None:
        super().__init__(config, (*names(config.vocabulary), _NOISE, _MARKER))

    def longest(self) -> int:
        return self.config.length + self.config.data_tokens

    def numbers(self) -> int:
        return self.longest()

    def sequences(self, drawn_BK: Tensor, items_B: Tensor) -> TokenBatch:
        length, count = self.config.length, self.config.data_tokens
        place_BC, _ = smallest(drawn_BK[:, :length], count).sort(1)
        token_BC = FIRST + (self.config.vocabulary * drawn_BK[:, length:]).long()
        noise, marker = self.tokens.encode((_NOISE, _MARKER))
        inputs_BT = torch.full_like(drawn_BK, noise, dtype=torch.long).scatter_(1, place_BC, token_BC)
        inputs_BT[:, length:] = marker
        targets_BT = torch.full_like(inputs_BT, UNSCORED)
        targets_BT[:, length:] = token_BC
        return token_batch(inputs_BT, targets_BT)

    def source_places(self, batch: TokenBatch) -> Tensor:
        """The k-th marker asks for the k-th token that is no noise."""
        noise, marker = self.tokens.encode((_NOISE, _MARKER))
        asked_BT = batch.inputs_BT == marker
        given_BT = ~asked_BT & (batch.inputs_BT != noise)
        place_BT = torch.full_like(batch.inputs_BT, -1)
        for place_T, asked_T, given_T in zip(place_BT, asked_BT, given_BT, strict=True):
            place_T[asked_T] = given_T.nonzero()[: int(asked_T.sum()), 0]
        return place_BT

    def chance(self, split: Split) -> Baseline:
        kinds = self.config.vocabulary
        return Baseline(
            "memoryless", f"each of {kinds} tokens as likely", answer_metrics(1 / kinds, math.log(kinds), "answer")
        )

    def shorten(self, tokens: Sequence[str]) -> Sequence[str]:
        return tokens[: self.config.length]

    def parse(self, tokens: Sequence[str]) -> tuple[Sequence[str], Sequence[int]]:
        """Tokens and noise are given; markers follow by themselves."""
        if _MARKER in tokens:
            raise DataError(f"{_MARKER} is not to be written: it follows by itself", f"give tokens and noise, {_NOISE}")
        count = sum(token != _NOISE for token in tokens)
        return [*tokens, *[_MARKER] * count], range(len(tokens), len(tokens) + count)
