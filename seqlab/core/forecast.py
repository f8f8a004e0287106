"""Forecasts of real values, for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from seqlab.core.batch import BatchT
from seqlab.core.items import Floats
from seqlab.core.network import Network
from seqlab.core.offers import require


@dataclass(frozen=True)
class Forecast:
    """What a network predicts after a history of T values, and the H values that came.

    name: of the series. labels: of the T + H points in time. quantile_HQ: increasing, at `levels`, with the median
    among them. naive_H: what a simple method predicts; naive_name: which. Values that are not known are nan.
    """

    name: str
    labels: Sequence[str]
    history_T: Floats
    truth_H: Floats
    naive_H: Floats
    naive_name: str
    quantile_HQ: Floats
    levels: Sequence[float]

    @property
    def median(self) -> Floats:
        """The point forecast, (H,)."""
        return self.quantile_HQ[:, list(self.levels).index(0.5)]


@runtime_checkable
class ForecastSource(Protocol[BatchT]):
    """A task that forecasts real values."""

    def forecasts(self, network: Network[BatchT], count: int) -> Sequence[Forecast]:
        """The network's forecasts from about `count` points in time, spread over the validation split."""


def forecast_source(task: object) -> ForecastSource[Any]:
    """The task, if it forecasts real values; else ConfigError."""
    return require(task, ForecastSource, "forecasts no real values", "a task offers it by its method forecasts")
