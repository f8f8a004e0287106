"""The copying problem: symbols are written out again after a long gap (many-to-many). B rows, T time.

Hochreiter & Schmidhuber 1997 in the form of Arjovsky 2016, section 5.1: ten of eight symbols, length - 1 blanks, a
delimiter, and ten blanks at which the symbols are to be written; the target everywhere else is a blank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.baseline import Baseline
from seqlab.core.batch import Split
from seqlab.data.batches import TokenBatch
from seqlab.errors import DataError
from seqlab.kinds.generated import GeneratedConfig
from seqlab.kinds.token_probe import FIRST, TokenProbe, names, token_batch
from seqlab.metrics.answers import answer_metrics

_COPIED, _SYMBOLS = 10, 8
_BLANK, _DELIMITER = "_", "|"


@config_dataclass(frozen=True, kw_only=True)
class CopyConfig(GeneratedConfig):
    """Settings of `task=copy`. length: T, the gap between a symbol and its copy less ten; a sequence has T + 20
    positions."""

    def build(self) -> Copy:
        return Copy(self)


class Copy(TokenProbe):
    """Ten symbols, a gap, and the same symbols again."""

    primary, blank = "loss", _BLANK

    def __init__(self, config: CopyConfig) -> None:
        super().__init__(config, (*names(_SYMBOLS), _BLANK, _DELIMITER))

    def longest(self) -> int:
        return self.config.length + 2 * _COPIED

    def numbers(self) -> int:
        return _COPIED

    def sequences(self, drawn_BK: Tensor, items_B: Tensor) -> TokenBatch:
        symbol_BK = FIRST + (_SYMBOLS * drawn_BK).long()
        blank, delimiter = self.tokens.encode((_BLANK, _DELIMITER))
        inputs_BT = torch.full((len(drawn_BK), self.longest()), blank)
        targets_BT = inputs_BT.clone()
        inputs_BT[:, :_COPIED], inputs_BT[:, -_COPIED - 1] = symbol_BK, delimiter
        targets_BT[:, -_COPIED:] = symbol_BK
        return token_batch(inputs_BT, targets_BT)

    def source_places(self, batch: TokenBatch) -> Tensor:
        """The k-th symbol written is the k-th symbol read."""
        place_BT = torch.full_like(batch.inputs_BT, -1)
        place_BT[:, -_COPIED:] = torch.arange(_COPIED)
        return place_BT

    def chance(self, split: Split) -> Baseline:
        """Blanks are predicted up to the delimiter, and then each symbol as likely (Arjovsky 2016)."""
        about = f"writes blanks, and then each of {_SYMBOLS} symbols as likely: {_COPIED} ln {_SYMBOLS} nats a sequence"
        nats = _COPIED * math.log(_SYMBOLS) / self.longest()
        return Baseline("memoryless", about, answer_metrics(1 / _SYMBOLS, nats, "position"))

    def shorten(self, tokens: Sequence[str]) -> Sequence[str]:
        return tokens[:_COPIED]

    def parse(self, tokens: Sequence[str]) -> tuple[Sequence[str], Sequence[int]]:
        """The symbols alone are given; gap and delimiter follow by themselves."""
        if {_BLANK, _DELIMITER} & set(tokens):
            raise DataError("the gap is not to be written: it follows by itself", f"give {_COPIED} symbols")
        if len(tokens) != _COPIED:
            example = self.example_text(0)
            raise DataError(f"{len(tokens)} symbols: every sequence has {_COPIED}", f"give {_COPIED}, like: {example}")
        gap = [_BLANK] * (self.config.length - 1)
        whole = [*tokens, *gap, _DELIMITER, *[_BLANK] * _COPIED]
        return whole, range(len(whole) - _COPIED, len(whole))
