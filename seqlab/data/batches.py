"""Batches that several tasks share.

Shape letters: B batch, T time, S source time, U characters, F input features, K output features.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

from seqlab.core.batch import Batch
from seqlab.data.vocabulary import PAD

UNSCORED = -100
"""The target value that cross_entropy ignores: a position that is read but not scored."""


@dataclass(frozen=True, kw_only=True)
class TokenBatch(Batch):
    """Tokens and the tokens that follow them; targets of UNSCORED are not scored. starts_B: the position of each row's
    first target in its split, so that results can be reported by position in the text."""

    inputs_BT: Tensor
    targets_BT: Tensor
    starts_B: Tensor | None = None

    def windows(self, steps: int) -> Iterator[Self]:
        if steps >= self.inputs_BT.shape[1]:
            yield self
            return
        pieces = zip(self.inputs_BT.split(steps, 1), self.targets_BT.split(steps, 1), strict=True)
        padded = self.positions < self.inputs_BT.numel()  # what has no target is padding then, and else it is read
        for index, (inputs_BT, targets_BT) in enumerate(pieces):
            scored = int((targets_BT != UNSCORED).sum())
            yield replace(
                self,
                inputs_BT=inputs_BT,
                targets_BT=targets_BT,
                starts_B=None if self.starts_B is None else self.starts_B + index * steps,
                target_count=scored,
                positions=scored if padded else inputs_BT.numel(),
                continues=self.continues or index > 0,
            )


@dataclass(frozen=True, kw_only=True)
class Labelled(Batch):
    """Sequences with a label each, in a field that a subclass adds. A row is scored in the window in which its sequence
    ends."""

    valid_BT: Tensor
    labels_B: Tensor
    ends_B: Tensor  # bool: the row's last position is in this window
    items_B: Tensor  # each row's index in its split

    @classmethod
    def of(cls, sequences: Tensor, valid_BT: Tensor, labels_B: Tensor, items_B: Tensor) -> Self:
        """A batch of whole sequences, (B, T) or (B, T, F)."""
        values: dict[str, Any] = {cls.sequences(): sequences}
        return cls(
            **values,
            valid_BT=valid_BT,
            labels_B=labels_B,
            ends_B=torch.ones(len(labels_B), dtype=torch.bool),
            items_B=items_B,
            target_count=len(labels_B),
            positions=int(valid_BT.sum()),
        )

    @classmethod
    def sequences(cls) -> str:
        """The field with the sequences."""
        return next(f.name for f in fields(cls) if f.name not in Labelled.__dataclass_fields__)

    def windows(self, steps: int) -> Iterator[Self]:
        length_B, name = self.valid_BT.sum(1), self.sequences()
        for start in range(0, self.valid_BT.shape[1], steps):
            window = slice(start, start + steps)
            ends_B = (length_B > start) & (length_B <= start + steps)
            values: dict[str, Any] = {name: getattr(self, name)[:, window]}
            yield replace(
                self,
                **values,
                valid_BT=self.valid_BT[:, window],
                ends_B=ends_B,
                target_count=int(ends_B.sum()),
                positions=int(self.valid_BT[:, window].sum()),
                continues=start > 0,
            )


LabelledT = TypeVar("LabelledT", bound=Labelled)


@dataclass(frozen=True, kw_only=True)
class LabelledBatch(Labelled):
    """Texts as token ids, with a label each."""

    tokens_BT: Tensor


@dataclass(frozen=True, kw_only=True)
class LabelledFrames(Labelled):
    """Sequences of real-valued vectors, with a label each."""

    frames_BTF: Tensor


@dataclass(frozen=True, kw_only=True)
class TranscribedFrames(Batch):
    """Sequences of real-valued vectors, with a transcript each: characters from 1 on, padded with UNSCORED."""

    frames_BTF: Tensor
    valid_BT: Tensor
    target_BU: Tensor
    items_B: Tensor  # each row's index in its split

    @classmethod
    def of(cls, frames_BTF: Tensor, valid_BT: Tensor, target_BU: Tensor, items_B: Tensor) -> Self:
        """The batch with its counts: of characters, and of positions."""
        return cls(
            frames_BTF=frames_BTF,
            valid_BT=valid_BT,
            target_BU=target_BU,
            items_B=items_B,
            target_count=int((target_BU != UNSCORED).sum()),
            positions=int(valid_BT.sum()),
        )


@dataclass(frozen=True, kw_only=True)
class TargetBatch(Batch):
    """The targets of an encoder-decoder; a subclass adds the source. Each target row ends with END and is padded with
    PAD. target_count, positions: counted in the targets where they are not given."""

    target_count: int = -1
    positions: int = -1
    target_BT: Tensor
    items_B: Tensor  # each row's index in its split

    def __post_init__(self) -> None:
        for name in ("target_count", "positions"):
            if getattr(self, name) < 0:
                object.__setattr__(self, name, int((self.target_BT != PAD).sum()))


TargetBatchT = TypeVar("TargetBatchT", bound=TargetBatch)


@dataclass(frozen=True, kw_only=True)
class PairBatch(TargetBatch):
    """Source and target sequences."""

    source_BS: Tensor


@dataclass(frozen=True, kw_only=True)
class SeriesBatch(Batch):
    """Input features and the values to predict at each position. A series that is longer than a batch continues in the
    same row of the next one."""

    inputs_BTF: Tensor
    targets_BTK: Tensor
    scored_BT: Tensor  # bool: the targets of this position count
    items_B: Tensor  # the index of each row's series in its split

    @classmethod
    def of(
        cls,
        inputs_BTF: Tensor,
        targets_BTK: Tensor,
        scored_BT: Tensor,
        items_B: Tensor,
        *,
        continues: bool = False,
        padded: bool = True,
    ) -> Self:
        """The batch with its counts. padded: positions that are not scored are padding; else they are read too."""
        scored = int(scored_BT.sum())
        return cls(
            inputs_BTF=inputs_BTF,
            targets_BTK=targets_BTK,
            scored_BT=scored_BT,
            items_B=items_B,
            target_count=scored,
            positions=scored if padded else scored_BT.numel(),
            continues=continues,
        )

    def windows(self, steps: int) -> Iterator[Self]:
        padded = self.positions < self.scored_BT.numel()
        for start in range(0, self.inputs_BTF.shape[1], steps):
            at = slice(start, start + steps)
            values = (self.inputs_BTF[:, at], self.targets_BTK[:, at], self.scored_BT[:, at])
            yield self.of(*values, self.items_B, continues=self.continues or start > 0, padded=padded)
