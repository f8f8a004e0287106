"""A time series in units of its training split, cut into consecutive splits.

N values in time, V series, F input features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqlab.core.batch import Split
from seqlab.data.series import Series, Values
from seqlab.data.times import Step, calendar
from seqlab.errors import DataError

_LARGEST = 1e30  # networks compute with numbers of up to 1e38


@dataclass(frozen=True)
class Scaling:
    """What a network needs to know of the series that it was trained on: their names, mean and standard deviation in
    the training split, and the step in time."""

    names: tuple[str, ...]
    mean_V: tuple[float, ...]
    deviation_V: tuple[float, ...]
    step: Step | None

    @classmethod
    def of(cls, series: Series, end: int) -> Scaling:
        """The statistics of the values before `end` that are known. Raises DataError for a series that is constant
        there, or missing."""
        _check_size(series)
        train_NV = series.value_NV[:end]
        for name, known_N in zip(series.names, train_NV.T, strict=True):
            known_N = known_N[~np.isnan(known_N)]
            if len(np.unique(known_N)) < 2:
                what = f"always {known_N[0]:g}" if len(known_N) else "missing"
                raise DataError(
                    f"{name} is {what} in the training split, its first {end:,} values: there is nothing to learn",
                    "forecast another column: task.value_columns=[NAME]",
                )
        mean_V, deviation_V = np.nanmean(train_NV, 0).tolist(), np.nanstd(train_NV, 0).tolist()
        return cls(series.names, tuple(mean_V), tuple(deviation_V), series.step)

    def stored(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def restored(cls, plain: Mapping[str, Any]) -> Scaling:
        """The inverse of `stored`. Raises KeyError, TypeError or ValueError for other values."""
        mean_V, deviation_V = (tuple(float(value) for value in plain[name]) for name in ("mean_V", "deviation_V"))
        step = None if plain["step"] is None else Step(**plain["step"])
        return cls(tuple(map(str, plain["names"])), mean_V, deviation_V, step)

    def filled(self, series: Series, missing: str) -> Values:
        """value_NV without gaps, in the unit of each series."""
        return filled(series.value_NV, missing, np.array(self.mean_V))

    def tensors(self, series: Series, missing: str, cycles: Sequence[str], season: int | None) -> tuple[Tensor, Tensor]:
        """(inputs_NF, value_NV): standardised values without gaps, and what a network reads of them: the values, their
        differences to those one season before (0 where there are none), and their places in cycles of time. Raises
        DataError if there are no times for that, and for values that are too large."""
        _check_size(series)
        value_NV = (self.filled(series, missing) - np.array(self.mean_V)) / np.array(self.deviation_V)
        features = [value_NV]
        if season is not None:
            features.append(np.concatenate((np.zeros_like(value_NV[:season]), value_NV[season:] - value_NV[:-season])))
        if cycles:
            if series.times_N is None:
                raise DataError("the series has no times, and task.calendar reads them", "try task.calendar=[]")
            features.append(calendar(series.times_N, cycles))
        inputs_NF = torch.from_numpy(np.concatenate(features, 1)).float()
        return inputs_NF, torch.from_numpy(value_NV).float()


def _check_size(series: Series) -> None:
    """Raise DataError for values that networks cannot compute with."""
    for name, largest in zip(series.names, np.abs(np.nan_to_num(series.value_NV)).max(0).tolist(), strict=True):
        if largest > _LARGEST:
            raise DataError(f"{name} has values beyond {_LARGEST:g}", "give them in a larger unit")


def filled(value_NV: Values, how: str, mean_V: Values) -> Values:
    """The values without gaps, each filled from the past alone, so that nothing that comes later is known: with the
    `last` value before it, or with the `mean` (of the training split), which also fills a gap at the beginning."""
    gone_NV, row_N1 = np.isnan(value_NV), np.arange(len(value_NV))[:, None]
    with_mean_NV = np.where(gone_NV, mean_V, value_NV)
    if how == "mean":
        return with_mean_NV
    before_NV = np.maximum.accumulate(np.where(gone_NV, 0, row_N1), axis=0)
    return np.asarray(np.take_along_axis(with_mean_NV, before_NV, axis=0))


def usual_seasons(step: Step | None, values: int) -> tuple[int, ...]:
    """The seasons of this step in time of which so many values have one; else a season of one step."""
    found = () if step is None else step.seasons()
    return tuple(season for season in found if season < values) or (1,)


def naive_mae(value_NV: Values, known_NV: Any, season: int) -> tuple[float, ...]:
    """The mean absolute difference of each series to its value one season before, where both are known."""
    gap_NV, both_NV = np.abs(value_NV[season:] - value_NV[:-season]), known_NV[season:] & known_NV[:-season]
    return tuple((np.where(both_NV, gap_NV, 0.0).sum(0) / np.maximum(both_NV.sum(0), 1)).tolist())


def spans(values: int, shares: tuple[float, float], least_train: int, horizon: int) -> dict[Split, tuple[int, int]]:
    """(start, end) of each split: consecutive shares of the values. Raises DataError for too few values for a training
    split of `least_train`, and for a forecast in each of the others."""
    first, second = int(shares[0] * values), int((shares[0] + shares[1]) * values)
    if first < least_train or min(second - first, values - second) < horizon:
        held = min(shares[1], 1 - shares[0] - shares[1])
        needed = max(math.ceil(least_train / shares[0]), math.ceil(horizon / held) if held > 1e-9 else 0) + 1
        raise DataError(
            f"the series has {values:,} values, and {needed:,} are needed: {least_train} for training (a window and "
            f"what follows it, or a season), {horizon} for each of validation and test",
            "give a longer series, or try a smaller task.window, task.horizon or task.seasons",
        )
    return {"train": (0, first), "validation": (first, second), "test": (second, values)}
