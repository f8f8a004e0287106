"""The baseline of forecasting: linear regression on past values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
_PENALTIES = tuple(10.0**power for power in range(-4, 5))


def ridge(train: tuple[Values, Values], validation: tuple[Values, Values], test_NF: Values) -> Values:
    """Forecasts for `test_NF`, in the shape of the targets, by ridge regression (Hoerl & Kennard 1970): train and
    validation are (inputs_NF, targets_N or targets_NH), F past and H future values. Inputs are standardised by the
    statistics of `train`; the L2 penalty is the one with the least squared error on `validation`."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def squared_error(model: Any) -> float:
        return float(np.square(model.predict(validation[0]) - validation[1]).mean())

    fitted = [make_pipeline(StandardScaler(), Ridge(alpha=value)).fit(*train) for value in _PENALTIES]
    return np.asarray(min(fitted, key=squared_error).predict(test_NF))
