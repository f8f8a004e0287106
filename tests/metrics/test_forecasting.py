"""Forecasting: a whole task made of shared parts, and its metrics computed by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seqlab.contracts.check import check_everything
from seqlab.core.batch import Split
from seqlab.core.model import ModelConfig
from seqlab.core.network import StepOutput
from seqlab.core.task import Task
from seqlab.data.batches import SeriesBatch
from seqlab.errors import DataError
from seqlab.metrics.forecasting import ForecastMeter
from seqlab.networks.regressor import Regressor
from seqlab.training.device import Device
from seqlab.training.trainer import Trainer
from seqlab.training.validation import evaluate
from tests.conftest import MODELS, tiny_config

CPU = Device(torch.device("cpu"), "fp32", compile=False)


class Waves(Task[SeriesBatch]):
    """The next value of noisy sine waves of one length and unknown phase."""

    series, steps = 24, 40

    def values(self, split: Split) -> Tensor:
        """value_NT of a split's waves."""
        generator = torch.Generator().manual_seed(len(split))
        phase_N1 = 6.3 * torch.rand(self.series, 1, generator=generator)
        noise_NT = 0.05 * torch.randn(self.series, self.steps, generator=generator)
        return torch.sin(phase_N1 + 0.9 * torch.arange(self.steps)) + noise_NT

    def batches(self, split: Split, seed: int) -> Iterator[SeriesBatch]:
        value_NT1 = self.values(split)[..., None]
        generator = torch.Generator().manual_seed(seed)
        order_N = torch.randperm(self.series, generator=generator) if split == "train" else torch.arange(self.series)
        for items_B in order_N.split(8):
            value_BT1 = value_NT1[items_B]
            scored_BT = torch.ones_like(value_BT1[:, 1:, 0], dtype=torch.bool)
            yield SeriesBatch.of(value_BT1[:, :-1], value_BT1[:, 1:], scored_BT, items_B)

    def build_network(self, model: ModelConfig) -> Regressor:
        return Regressor(1, 1, model)

    def meter(self, split: Split) -> ForecastMeter:
        return ForecastMeter(float(self.values("train").diff().abs().mean()))

    def describe(self) -> Mapping[str, int | str]:
        return {"series": self.series}


@pytest.mark.parametrize("model", MODELS)
def test_a_forecaster_is_a_task_of_four_methods_that_beats_the_naive_forecast(model: str) -> None:
    config = tiny_config(
        model, "char_lm", "optim.learning_rate=0.01", "trainer.max_steps=60", "trainer.eval_every_steps=60"
    )
    task = Waves()
    assert [result for result in check_everything(task, config.model, model) if result.failure] == []
    torch.manual_seed(0)
    network = task.build_network(config.model)
    trainer: Trainer[Any] = Trainer(task, network, config.optim, config.trainer, CPU, seed=0, folder=None)
    trainer.fit()
    meter = evaluate(network, task.batches("test", 0), task.meter("test"), CPU)
    assert meter.compute()["mase"].value < 0.6
    low, high = meter.interval(0)
    assert low < meter.compute()["mase"].value < high < 1
    assert task.longest() == task.steps - 1
    task.check_windows(7, network)


def _read(batch: SeriesBatch, prediction_BTK: Tensor, meter: ForecastMeter) -> None:
    meter.update(
        batch, StepOutput(torch.tensor(3.0), (), prediction_BTK), Regressor(1, 1, tiny_config("rnn", "char_lm").model)
    )


def test_metrics_count_scored_errors_only() -> None:
    """In original units, unscored positions left out, series of several batches added up."""
    target_BTK, prediction_BTK = torch.randn(3, 5, 2), torch.randn(3, 5, 2)
    scored_BT = torch.rand(3, 5) < 0.7
    scored_BT[:, 0] = True
    whole = SeriesBatch.of(torch.randn(3, 5, 1), target_BTK, scored_BT, torch.tensor([2, 0, 1]))
    meter, cut = (ForecastMeter(0.5, primary="rmse", scale=10.0, unit="kWh") for _ in range(2))
    _read(whole, prediction_BTK, meter)
    for window, part in zip(whole.windows(2), prediction_BTK.split(2, 1), strict=True):
        _read(window, part, cut)
    error_N = 10 * (prediction_BTK - target_BTK)[scored_BT].flatten().double()
    for found in (meter, cut):
        figures = found.compute()
        assert figures["mae"].value == pytest.approx(float(error_N.abs().mean()), rel=1e-5)
        assert figures["rmse"].value == pytest.approx(math.sqrt(float(error_N.square().mean())), rel=1e-5)
        assert figures["mase"].value == pytest.approx(figures["mae"].value / 0.5)
        assert figures["mae"].unit == "kWh"
        sums = found.item_sums()
        assert sums.aggregate(sums.sums_NK.sum(0)) == pytest.approx(figures["rmse"].value)
        assert [item["item"] for item in found.items()] == [0, 1, 2]
        first_T2 = 10 * (prediction_BTK - target_BTK)[1][scored_BT[1]]
        assert next(found.items())["mae"] == pytest.approx(float(first_T2.abs().mean()), rel=1e-5)
    assert np.allclose(meter.item_sums().sums_NK, cut.item_sums().sums_NK)


def test_a_constant_series_is_refused() -> None:
    with pytest.raises(DataError, match="is the series constant"):
        ForecastMeter(naive_mae=0.0)
