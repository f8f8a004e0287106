"""The naive baselines of forecasting. N values in time, V series, R origins, H steps ahead."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqlab.baselines.ridge import Values, ridge

Places = npt.NDArray[np.int64]
_MOST_ORIGINS = 20_000  # that ridge regression is fitted on


def last_value(value_NV: Values, origin_R: Places, horizon: int) -> Values:
    """forecast_RHV: the value at the origin, for every step ahead."""
    return np.repeat(value_NV[origin_R][:, None], horizon, 1)


def seasonal_naive(value_NV: Values, origin_R: Places, horizon: int, season: int) -> Values:
    """forecast_RHV: the value one season before or, further ahead, whole seasons before."""
    ahead_H = np.arange(1, horizon + 1)
    return np.asarray(value_NV[origin_R[:, None] + ahead_H - season * -(-ahead_H // season)])


def ridge_on_lags(value_NV: Values, ends: tuple[int, int], origin_R: Places, horizon: int, lags: int) -> Values:
    """forecast_RHV: each series by ridge regression on its last `lags` values, fitted before ends[0], with the penalty
    that is best between ends[0] and ends[1]."""

    def examples(first: int, end: int, values_N: Values) -> tuple[Values, Values]:
        origin_M = np.arange(max(first, lags) - 1, end - horizon)
        origin_M = origin_M[:: -(-len(origin_M) // _MOST_ORIGINS)]
        return before(origin_M, values_N), values_N[origin_M[:, None] + np.arange(1, horizon + 1)]

    def before(origin_M: Places, values_N: Values) -> Values:
        return np.asarray(values_N[origin_M[:, None] + np.arange(1 - lags, 1)])

    found = [
        ridge(examples(0, ends[0], values_N), examples(*ends, values_N), before(origin_R, values_N))
        for values_N in value_NV.T
    ]
    return np.stack([part_RH.reshape(len(origin_R), horizon) for part_RH in found], 2)
