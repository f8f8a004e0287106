"""Metrics of predicting one real value per sequence: squared error, and the share within a tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from seqlab.core.items import Floats, ItemSums
from seqlab.core.meter import Meter
from seqlab.core.metric import Metric
from seqlab.core.network import Network, StepOutput
from seqlab.data.batches import SeriesBatch
from seqlab.metrics import gather


def regression_metrics(squared_error: float, solved: float) -> dict[str, Metric]:
    """The mean squared error, the share of solved sequences, and the loss, which is half of the error."""
    return {
        "mse": Metric(squared_error, "", higher_is_better=False, lowest=0.0),
        "solved": Metric(solved, "", higher_is_better=True, lowest=0.0, highest=1.0),
        "loss": Metric(squared_error / 2, "", higher_is_better=False, lowest=0.0),
    }


class RegressionMeter(Meter[SeriesBatch]):
    """Errors of one value per sequence (the item). tolerance: the absolute error below which a sequence is solved."""

    primary = "mse"

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        self.targets: list[Tensor] = []
        self.predictions: list[Tensor] = []
        self.places: list[Tensor] = []

    def update(self, batch: SeriesBatch, output: StepOutput, network: Network[SeriesBatch]) -> None:
        row_N, _ = batch.scored_BT.nonzero(as_tuple=True)
        self.targets.append(batch.targets_BTK[batch.scored_BT][:, 0])
        self.predictions.append(output.logits.float()[batch.scored_BT][:, 0])
        self.places.append(batch.items_B[row_N])

    def _rows(self) -> tuple[Floats, Floats, Floats]:
        """(places_N, targets_N, predictions_N) in the split's order."""
        order_N = np.argsort(gather(self.places), kind="stable")
        return gather(self.places)[order_N], gather(self.targets)[order_N], gather(self.predictions)[order_N]

    def _sums(self) -> Floats:
        """sums_N3: each sequence's squared error, whether it is solved, and 1."""
        _, target_N, prediction_N = self._rows()
        error_N = prediction_N - target_N
        return np.stack((error_N**2, np.abs(error_N) < self.tolerance, np.ones(len(error_N))), 1)

    def compute(self) -> dict[str, Metric]:
        squared, solved, count = self._sums().sum(0).tolist()
        return regression_metrics(squared / count, solved / count)

    def item_sums(self) -> ItemSums:
        return ItemSums(self._sums(), lambda sums: float(sums[0] / sums[2]))

    def items(self) -> Iterator[dict[str, Any]]:
        for place, target, prediction in zip(*self._rows(), strict=True):
            yield {
                "item": int(place),
                "target": float(target),
                "prediction": float(prediction),
                "error": float(prediction - target),
            }
