"""Metrics of forecasts of real values: MAE, RMSE and MASE. B batch, T time, K output features, N series."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from torch import Tensor, stack

from seqlab.core.items import Floats, ItemSums
from seqlab.core.meter import Meter
from seqlab.core.metric import Metric
from seqlab.core.network import Network, StepOutput
from seqlab.data.batches import SeriesBatch
from seqlab.errors import DataError
from seqlab.metrics import gather


def forecast_metrics(sums_3: Floats, naive_mae: float, unit: str) -> dict[str, Metric]:
    """MAE, RMSE and MASE from sums over values: of absolute errors, of squared errors, and their number.

    MASE (Hyndman & Koehler 2006) is the MAE over that of a naive forecast on the training split, `naive_mae`: below 1
    is better than naive, whatever the unit of the series.
    """
    absolute, squared, values = sums_3.tolist()
    mae = absolute / max(values, 1)
    return {
        "mae": Metric(mae, unit, higher_is_better=False, lowest=0.0),
        "rmse": Metric(math.sqrt(squared / max(values, 1)), unit, higher_is_better=False, lowest=0.0),
        "mase": Metric(mae / naive_mae, "", higher_is_better=False, lowest=0.0),
    }


class ForecastMeter(Meter[SeriesBatch]):
    """Errors over every scored value, and for each series, which is an item.

    naive_mae: the MAE of a naive forecast on the training split. scale: the size, in `unit`, of one unit of what the
    network reads and predicts.
    """

    def __init__(
        self,
        naive_mae: float,
        *,
        primary: Literal["mae", "rmse", "mase"] = "mase",
        scale: float = 1.0,
        unit: str = "",
    ) -> None:
        if not naive_mae > 0:
            raise DataError(f"the naive forecast has an MAE of {naive_mae:g}: no MASE", "is the series constant?")
        self.naive_mae, self.primary, self.scale, self.unit = naive_mae, primary, scale, unit
        self.sums: list[Tensor] = []  # of each row (absolute, squared, values)
        self.places: list[Tensor] = []
        self.losses: list[Tensor] = []
        self.targets = 0

    def update(self, batch: SeriesBatch, output: StepOutput, network: Network[SeriesBatch]) -> None:
        error_BTK = self.scale * (output.logits.float() - batch.targets_BTK.float())
        error_BTK = error_BTK.masked_fill(~batch.scored_BT[..., None], 0.0)
        values_B = batch.scored_BT.sum(1).float() * error_BTK.shape[-1]
        absolute_B, squared_B = error_BTK.abs().sum((1, 2)), error_BTK.square().sum((1, 2))
        self.sums.append(stack((absolute_B, squared_B, values_B), 1))
        self.places.append(batch.items_B)
        self.losses.append(output.loss_sum.detach().view(1))
        self.targets += batch.target_count

    def _sums(self) -> tuple[Floats, Floats]:
        """(places_N, sums_N3) of the series that were read, in their order, those of several batches added up."""
        places_N, row_R = np.unique(gather(self.places), return_inverse=True)
        sums_N3 = np.zeros((len(places_N), 3))
        np.add.at(sums_N3, row_R.reshape(-1), gather(self.sums))
        return places_N, sums_N3

    def _metrics(self, sums_3: Floats) -> dict[str, Metric]:
        return forecast_metrics(sums_3, self.naive_mae, self.unit)

    def compute(self) -> dict[str, Metric]:
        loss = Metric(float(gather(self.losses).sum()) / max(self.targets, 1), "", higher_is_better=False, lowest=0.0)
        return {**self._metrics(self._sums()[1].sum(0)), "loss": loss}

    def item_sums(self) -> ItemSums:
        return ItemSums(self._sums()[1], lambda sums: self._metrics(sums)[self.primary].value)

    def items(self) -> Iterator[dict[str, Any]]:
        for place, sums_3 in zip(*self._sums(), strict=True):
            figures = {name: metric.value for name, metric in self._metrics(sums_3).items()}
            yield {"item": int(place), "values": int(sums_3[2]), **figures}
