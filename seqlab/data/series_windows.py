"""A time series as batches: at each position the values so far, and the next values as targets.

Shape letters: N values in time, V series, H steps ahead, R rows, B rows of a batch, T time, F input features,
K = H x V targets (one step ahead of every series, then two).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from seqlab.core.batch import Batch


@dataclass(frozen=True, kw_only=True)
class ForecastBatch(Batch):
    """Values of a series, and those that follow each of them. A row that is longer than a batch continues in the same
    row of the next one."""

    inputs_BTF: Tensor
    targets_BTK: Tensor
    scored_BTK: Tensor  # bool: this target counts; others are 0
    items_B: Tensor  # the index of each row's origin in its split

    @classmethod
    def of(
        cls, inputs_BTF: Tensor, targets_BTK: Tensor, scored_BTK: Tensor, items_B: Tensor, *, continues: bool = False
    ) -> Self:
        """The batch with its counts."""
        return cls(
            inputs_BTF=inputs_BTF,
            targets_BTK=targets_BTK,
            scored_BTK=scored_BTK,
            items_B=items_B,
            target_count=int(scored_BTK.sum()),
            positions=inputs_BTF.shape[0] * inputs_BTF.shape[1],
            continues=continues,
        )

    def windows(self, steps: int) -> Iterator[Self]:
        pieces = (part.split(steps, 1) for part in (self.inputs_BTF, self.targets_BTK, self.scored_BTK))
        for index, (inputs_BTF, targets_BTK, scored_BTK) in enumerate(zip(*pieces, strict=True)):
            continues = self.continues or index > 0
            yield self.of(inputs_BTF, targets_BTK, scored_BTK, self.items_B, continues=continues)


@dataclass(frozen=True)
class SeriesWindows:
    """Where values stand, and what is to be predicted from there.

    inputs_NF: what a network reads. value_NV: standardised and without gaps. known_NV: bool; a value that is False was
    filled in, and is no target. season: targets are differences to the value one season (or several) before, the last
    that is known at the origin; None: the values.
    """

    inputs_NF: Tensor
    value_NV: Tensor
    known_NV: Tensor
    horizon: int
    season: int | None = None

    def batch(
        self, at_BT: Tensor, end: int, items_B: Tensor, origin_BT: Tensor | None = None, *, continues: bool = False
    ) -> ForecastBatch:
        """The batch that reads the values at these places. Targets lie before `end`. origin_BT: bool, the positions
        that are scored; None: all."""
        place_BTH = at_BT[..., None] + 1 + torch.arange(self.horizon)
        inside_BTH = place_BTH < end
        if origin_BT is not None:
            inside_BTH = inside_BTH & origin_BT[..., None]
        place_BTH = place_BTH.clamp(max=len(self.value_NV) - 1)
        target_BTHV, scored_BTHV = self.value_NV[place_BTH], self.known_NV[place_BTH] & inside_BTH[..., None]
        if self.season is not None:
            target_BTHV = target_BTHV - self.base(at_BT)
            scored_BTHV = scored_BTHV & (at_BT >= self.season - 1)[..., None, None]
        target_BTHV = target_BTHV.masked_fill(~scored_BTHV, 0.0)
        parts = (self.inputs_NF[at_BT], target_BTHV.flatten(2), scored_BTHV.flatten(2))
        return ForecastBatch.of(*parts, items_B, continues=continues)

    def base(self, at_BT: Tensor) -> Tensor:
        """base_BTHV: what targets at these places are differences to; 0 if they are values."""
        if self.season is None:
            return self.value_NV.new_zeros(())
        ahead_H = torch.arange(1, self.horizon + 1)
        before_H = ahead_H - self.season * ((ahead_H + self.season - 1) // self.season)
        return self.value_NV[(at_BT[..., None] + before_H).clamp(min=0)]

    def streams(self, end: int, rows: int, window: int, seed: int) -> Iterator[ForecastBatch]:
        """One pass over the values before `end` from a random start (`seed`), in at most `rows` parallel streams: each
        value is read once, and each batch continues where the last one ended."""
        rows = max(1, min(rows, end // window))
        at_RT, real_RT = _laid_out(end, rows, math.ceil(end / rows), torch.Generator().manual_seed(seed))
        for index, (at_BT, real_BT) in enumerate(zip(at_RT.split(window, 1), real_RT.split(window, 1), strict=True)):
            yield self.batch(at_BT, end, torch.arange(rows), real_BT, continues=index > 0)

    def shuffled(self, end: int, rows: int, window: int, seed: int) -> Iterator[ForecastBatch]:
        """The same in windows with random borders and order."""
        generator = torch.Generator().manual_seed(seed)
        at_RT, real_RT = _laid_out(end, math.ceil(end / window), window, generator)
        for rows_B in torch.randperm(len(at_RT), generator=generator).split(rows):
            yield self.batch(at_RT[rows_B], end, rows_B, real_RT[rows_B])

    def from_origins(self, origin_R: Tensor, end: int, rows: int, window: int, warm_up: int) -> Iterator[ForecastBatch]:
        """Forecasts from these places, each a row of its own that ends there. `warm_up` windows are read before its
        last one, as far as the first origin has as many, so that a state can be carried."""
        window = min(window, int(origin_R[0]) + 1)
        pieces = min(warm_up, (int(origin_R[0]) + 1) // window - 1) + 1
        for items_B in torch.arange(len(origin_R)).split(rows):
            for piece in range(pieces):
                at_BT = origin_R[items_B, None] + 1 - window * (pieces - piece) + torch.arange(window)
                origin_BT = at_BT == origin_R[items_B, None]
                yield self.batch(at_BT, end, items_B, origin_BT, continues=piece > 0)


def _laid_out(end: int, rows: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(at_RT, real_RT): the places before `end` from a random start, in rows of this length; what is beyond the last
    place is not real."""
    start = int(torch.randint(end, (), generator=generator))
    order = torch.arange(rows * length).view(rows, length)
    return (start + order) % end, order < end
