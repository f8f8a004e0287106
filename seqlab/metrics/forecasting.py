"""Metrics of forecasts of real values: MASE, MAE, CRPS and the coverage of a band.

B batch, T time, K targets, Q quantiles, N origins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqlab.core.items import Floats, ItemSums
from seqlab.core.meter import Meter
from seqlab.core.metric import Metric
from seqlab.core.network import Network, StepOutput
from seqlab.data.series_windows import ForecastBatch
from seqlab.errors import DataError
from seqlab.metrics import gather


def pinball(error_BTKQ: Tensor, level_Q: Tensor) -> Tensor:
    """Twice the quantile loss (Koenker & Bassett 1978) of target minus predicted quantile: its mean over evenly spread
    levels approximates the CRPS (Gneiting & Raftery 2007), and at level 0.5 it is the absolute error."""
    return 2 * torch.maximum(level_Q * error_BTKQ, (level_Q - 1) * error_BTKQ)


@dataclass(frozen=True)
class ForecastScale:
    """What errors are measured with. season: the steps of the seasonal naive forecast, the value one season before;
    naive_mae_V: its mean absolute error on the training split, in the unit of each series; scale_V: the size, in that
    unit, of one unit of what the network predicts. together: how many successive origins a season, or a horizon, has,
    whichever is longer: the errors of so many are surely alike."""

    season: int
    naive_mae_V: Sequence[float]
    scale_V: Sequence[float]
    together: int = 1

    def __post_init__(self) -> None:
        if not min(self.naive_mae_V) > 0:
            raise DataError(
                f"each value of the training split equals the one {self.season} steps before: MASE has no scale",
                "is the series constant, or does it repeat itself? Try another season: task.seasons",
            )

    @property
    def mase(self) -> str:
        """The name of the metric, with its season."""
        return f"mase_{self.season}"

    def metrics(self, sums_4: Floats) -> dict[str, Metric]:
        """The metrics of sums over values: absolute errors over the naive forecast's, absolute errors, CRPS, and their
        number. MASE (Hyndman & Koehler 2006) below 1 is better than the seasonal naive forecast does in training."""
        scaled, absolute, crps = (sums_4[:3] / max(sums_4[3], 1)).tolist()
        values = {self.mase: scaled, "mae": absolute, "crps": crps}
        return {name: Metric(value, "", higher_is_better=False, lowest=0.0) for name, value in values.items()}

    def of_points(self, error_NK: Floats, known_NK: npt.NDArray[np.bool_]) -> tuple[dict[str, Metric], list[float]]:
        """(the metrics of point forecasts, MASE item by item), from their errors in the unit of the series; the CRPS of
        a point forecast is its absolute error."""
        error_NK = np.where(known_NK, np.abs(error_NK), 0.0)
        scaled_NK = error_NK / self._tiled(self.naive_mae_V, error_NK.shape[1])
        sums_N4 = np.stack([part_NK.sum(1) for part_NK in (scaled_NK, error_NK, error_NK, known_NK)], 1)
        items = self.item_sums(sums_N4, self.mase).item_values()
        return self.metrics(sums_N4.sum(0)), items.tolist()

    def item_sums(self, sums_NK: Floats, name: str) -> ItemSums:
        """A metric of sums over origins, with as many in a block as are alike: those of `together`, and no fewer than
        the cube root of all, the order of the best length (Künsch 1989); at most a quarter of all."""
        origins = len(sums_NK)
        block = max(1, min(max(self.together, math.ceil(origins ** (1 / 3))), origins // 4))
        return ItemSums(sums_NK, lambda sums_K: self.metrics(sums_K[:4])[name].value, block)

    def _tiled(self, value_V: Sequence[float], targets: int) -> Floats:
        """The value of each target's series: targets are the steps ahead, of every series each."""
        return np.tile(np.asarray(value_V, dtype=np.float64), targets // len(value_V))

    def tensors(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """(naive_mae_K, scale_K) for the targets (..., K) of a batch."""
        naive_K, scale_K = (self._tiled(value_V, like.shape[-1]) for value_V in (self.naive_mae_V, self.scale_V))
        return like.new_tensor(naive_K), like.new_tensor(scale_K)


class ForecastMeter(Meter[ForecastBatch]):
    """Errors over every scored value, and for each origin, which is an item. levels: of the predicted quantiles, with
    0.5 among them. The band whose coverage is reported lies between the lowest and the highest."""

    def __init__(self, scale: ForecastScale, levels: Sequence[float]) -> None:
        self.scale, self.levels, self.primary = scale, tuple(levels), scale.mase
        self.sums: list[Tensor] = []  # of each row (scaled, absolute, crps, values, covered)
        self.places: list[Tensor] = []
        self.losses: list[Tensor] = []
        self.targets = 0

    def update(self, batch: ForecastBatch, output: StepOutput, network: Network[ForecastBatch]) -> None:
        self.places.append(batch.items_B)
        self.losses.append(output.loss_sum.detach().view(1))
        if not batch.scored:  # an origin without a value that is known is an item all the same
            self.sums.append(batch.targets_BTK.new_zeros(len(batch.items_B), 5, dtype=torch.float32))
            return
        quantile_BTKQ, target_BTK = output.logits.float(), batch.targets_BTK.float()
        naive_K, scale_K = self.scale.tensors(target_BTK)
        error_BTKQ = scale_K[:, None] * (target_BTK[..., None] - quantile_BTKQ)
        absolute_BTK = error_BTKQ[..., self.levels.index(0.5)].abs()
        crps_BTK = pinball(error_BTKQ, error_BTKQ.new_tensor(self.levels)).mean(-1)
        inside_BTK = (error_BTKQ[..., 0] >= 0) & (error_BTKQ[..., -1] <= 0)
        ones_BTK = torch.ones_like(absolute_BTK)
        parts = (absolute_BTK / naive_K, absolute_BTK, crps_BTK, ones_BTK, inside_BTK.float())
        masked = [part.masked_fill(~batch.scored_BTK, 0.0).sum((1, 2)) for part in parts]
        self.sums.append(torch.stack(masked, 1))
        self.targets += batch.target_count

    def _sums(self) -> tuple[Floats, Floats]:
        """(places_N, sums_N5) of the origins that were read, in their order, those of several batches added up."""
        places_N, row_R = np.unique(gather(self.places), return_inverse=True)
        sums_N5 = np.zeros((len(places_N), 5))
        np.add.at(sums_N5, row_R.reshape(-1), gather(self.sums))
        return places_N, sums_N5

    def _metrics(self, sums_5: Floats) -> dict[str, Metric]:
        found = self.scale.metrics(sums_5[:4])
        if len(self.levels) > 1:
            covered = float(sums_5[4] / max(sums_5[3], 1))
            band = round(100 * (self.levels[-1] - self.levels[0]))
            found[f"coverage_{band}"] = Metric(covered, "", higher_is_better=True, lowest=0.0, highest=1.0)
        return found

    def compute(self) -> dict[str, Metric]:
        loss = Metric(float(gather(self.losses).sum()) / max(self.targets, 1), "", higher_is_better=False, lowest=0.0)
        return {**self._metrics(self._sums()[1].sum(0)), "loss": loss}

    def item_sums(self) -> ItemSums:
        return self.scale.item_sums(self._sums()[1], self.primary)

    def items(self) -> Iterator[dict[str, Any]]:
        for place, sums_5 in zip(*self._sums(), strict=True):
            figures = {name: metric.value for name, metric in self._metrics(sums_5).items()}
            yield {"item": int(place), "values": int(sums_5[3]), **figures}
