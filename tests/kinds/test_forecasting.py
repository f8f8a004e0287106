"""Forecasting: nothing later is known, evaluation goes by rolling origin, residuals change no error, baselines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from seqlab.baselines.seasonal import last_value, seasonal_naive
from seqlab.data.series import Series
from seqlab.data.times import Step
from seqlab.errors import DataError
from seqlab.kinds.forecasting import Forecasting, ForecastingConfig
from seqlab.training.device import Device
from seqlab.training.validation import evaluate
from tests.conftest import TASKS, tiny_config

NAME = next(task for task in TASKS if issubclass(type(tiny_config("gru", task).task), ForecastingConfig))
CPU = Device(torch.device("cpu"), "fp32", compile=False)


def _settings(**others: Any) -> ForecastingConfig:
    config = tiny_config("gru", NAME).task
    assert isinstance(config, ForecastingConfig)
    roomy: dict[str, Any] = {"train_share": 0.7, "validation_share": 0.15, "window": 24, "horizon": 6, **others}
    return replace(config, **roomy)


def _series(values: int = 600, missing: tuple[int, ...] = (), series: int = 1) -> Series:
    hours = np.arange(values)[:, None]
    noise_NV = np.random.default_rng(0).standard_normal((values, series))
    value_NV = np.sin(2 * np.pi * hours / 24) * (10.0 ** np.arange(series)) + 0.3 * noise_NV
    value_NV[list(missing)] = np.nan
    times_N = np.datetime64("2024-03-01T00:00:00") + np.arange(values) * np.timedelta64(3600, "s")
    names = tuple(f"s{number}" for number in range(series))
    return Series(names, value_NV, times_N, Step(3600), "some" if missing else "")


def _batches(task: Forecasting, split: Any) -> list[dict[str, Any]]:
    return [vars(batch) for batch in task.batches(split, 0)]


def _same(first: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    pairs = [(a[key], b[key]) for a, b in zip(first, other, strict=True) for key in a]
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


@pytest.mark.parametrize("missing", ["last", "mean"])
@pytest.mark.parametrize("residual", [None, 24])
def test_no_split_knows_a_later_one(missing: Any, residual: int | None) -> None:
    """Other values after a border change no batch before it, though values next to the border are missing."""
    settings = _settings(missing=missing, residual=residual)
    series = _series(missing=(0, 1, 100, 418, 419, 420, 421, 509, 510, 511))
    task = Forecasting(series, settings)
    for split in ("train", "validation"):
        end = task.spans[split][1]
        value_NV = series.value_NV.copy()
        value_NV[end:] = 50 - 3 * np.arange(len(value_NV) - end)[:, None]
        other = Forecasting(replace(series, value_NV=value_NV), settings)
        assert _same(_batches(task, split), _batches(other, split))
        assert not _same(_batches(task, "test"), _batches(other, "test"))


def test_splits_are_consecutive_and_origins_cover_them() -> None:
    task = Forecasting(_series(), _settings(stride=4))
    assert task.spans == {"train": (0, 420), "validation": (420, 510), "test": (510, 600)}
    for split in ("validation", "test"):
        start, end = task.spans[split]
        origins = task.origins(split).tolist()
        assert origins[0] + 1 == start
        assert np.diff(origins).tolist() == [4] * (len(origins) - 1)
        assert end - 4 < origins[-1] + 1 + 6 <= end


def test_the_forecast_of_an_origin_depends_on_nothing_after_it() -> None:
    """Also where the value at the origin is missing."""
    settings = _settings()
    series = _series(missing=(515, 521))
    task = Forecasting(series, settings)
    network = task.build_network(tiny_config("gru", NAME).model).eval()
    origin_R = task.origins("test")
    before = task.predicted(network, task.windows, origin_R)
    for row, origin in enumerate(origin_R.tolist()):
        value_NV = series.value_NV.copy()
        value_NV[origin + 1 :] = 99 + np.arange(len(value_NV) - origin - 1)[:, None] ** 2
        changed = replace(task.windows_of(replace(series, value_NV=value_NV)))
        after = task.predicted(network, changed, origin_R[: row + 1])
        assert np.allclose(after, before[: row + 1], rtol=0, atol=1e-5)


def test_predictions_are_those_of_the_evaluation_in_the_unit_of_each_series() -> None:
    """With differences to a season before, and without."""
    for residual in (None, 24):
        task = Forecasting(_series(series=2), _settings(residual=residual))
        torch.manual_seed(0)
        network = task.build_network(tiny_config("gru", NAME).model).eval()
        figures = evaluate(network, task.batches("test", 0), task.meter("test"), CPU).compute()
        origin_R = task.origins("test")
        quantile_RHVQ = task.predicted(network, task.windows, origin_R)
        place_RH = origin_R.numpy()[:, None] + np.arange(1, 7)
        truth_RHV, middle = task.series.value_NV[place_RH], task.config.quantiles.index(0.5)
        error_RHV = np.abs(truth_RHV - quantile_RHVQ[..., middle])
        inside_RHV = (quantile_RHVQ[..., 0] <= truth_RHV) & (truth_RHV <= quantile_RHVQ[..., -1])
        assert figures["mae"].value == pytest.approx(error_RHV.mean(), rel=1e-4)
        assert figures["coverage_80"].value == pytest.approx(inside_RHV.mean())
        train_NV = task.series.value_NV[:420]
        naive_V = np.abs(train_NV[24:] - train_NV[:-24]).mean(0)
        assert figures["mase_24"].value == pytest.approx((error_RHV / naive_V).mean(), rel=1e-4)


def test_a_network_that_predicts_no_difference_is_the_seasonal_naive_forecast() -> None:
    task = Forecasting(_series(), _settings(residual=24))
    network = task.build_network(tiny_config("gru", NAME).model).eval()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.zero_()
    figures = evaluate(network, task.batches("test", 0), task.meter("test"), CPU).compute()
    naive = next(baseline for baseline in task.baselines() if baseline.name == "naive 24")
    for name in ("mase_24", "mae"):
        assert figures[name].value == pytest.approx(naive.metrics[name].value, rel=1e-4)


def test_naive_forecasts_written_out() -> None:
    value_NV = np.arange(20.0)[:, None]
    origin_R = np.array([9, 12])
    assert last_value(value_NV, origin_R, 3)[..., 0].tolist() == [[9, 9, 9], [12, 12, 12]]
    assert seasonal_naive(value_NV, origin_R, 5, 3)[..., 0].tolist() == [[7, 8, 9, 7, 8], [10, 11, 12, 10, 11]]
    assert seasonal_naive(value_NV, origin_R, 2, 1)[..., 0].tolist() == [[9, 9], [12, 12]]


def test_baselines_are_scored_as_networks_are() -> None:
    """A filled value is no target of theirs either, and the best of them fits the season."""
    task = Forecasting(_series(missing=(530, 531)), _settings(seasons=(24, 48)))
    found = {baseline.name: baseline.metrics["mase_24"].value for baseline in task.baselines()}
    assert list(found) == ["last value", "naive 24", "naive 48", "ridge"]
    assert found["ridge"] < found["naive 24"] < found["last value"]
    place_RH = task.origins("test").numpy()[:, None] + np.arange(1, 7)
    error_RH = np.abs(task.series.value_NV[place_RH, 0] - task.value_NV[place_RH - 24, 0])
    known_N = task.series.value_NV[:420, 0]
    assert found["naive 24"] == pytest.approx(np.nanmean(error_RH) / np.nanmean(np.abs(known_N[24:] - known_N[:-24])))


def test_a_season_that_leaves_ridge_regression_no_example_leaves_it_out() -> None:
    task = Forecasting(_series(250), _settings(seasons=(24, 168), horizon=24))
    assert [baseline.name for baseline in task.baselines()] == ["last value", "naive 24", "naive 168"]


def test_what_cannot_be_forecast_is_refused() -> None:
    for value_NV, message in (
        (np.full((600, 1), 5.0), "always 5 in the training split"),
        (np.full((600, 1), np.nan), "missing in the training split"),
        (np.arange(600.0)[:, None] % 24, "24 steps before: MASE has no scale"),
        (1e31 * _series().value_NV, r"beyond 1e\+30"),
        (np.append(_series(599).value_NV, [[1e200]], 0), r"beyond 1e\+30"),
        (_series(50).value_NV, r"50 values, and 243 are needed: 169 for training"),
    ):
        series = replace(_series(), value_NV=value_NV)
        with pytest.raises(DataError, match=message):
            Forecasting(series, _settings(seasons=(24, 168) if len(value_NV) < 100 else (24,)))
    with pytest.raises(DataError, match=r"task\.missing=refuse"):
        Forecasting(_series(missing=(3,)), _settings(missing="refuse"))
    with pytest.raises(DataError, match=r"no times(.|\n)*task.calendar=\[\]"):
        Forecasting(replace(_series(), times_N=None, step=None), _settings(seasons=(24,)))
    for quantiles in ((0.1, 0.9), (0.9, 0.5, 0.1), (0.5, 0.5)):
        with pytest.raises(ValueError, match="the median"):
            _settings(quantiles=quantiles)
