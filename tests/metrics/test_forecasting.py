"""Forecasting: a whole task made of shared parts, and its metrics computed by hand."""

from __future__ import annotations

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
from seqlab.data.series_windows import ForecastBatch
from seqlab.errors import DataError
from seqlab.metrics.forecasting import ForecastMeter, ForecastScale
from seqlab.networks.quantile_regressor import QuantileRegressor
from seqlab.training.device import Device
from seqlab.training.trainer import Trainer
from seqlab.training.validation import evaluate
from tests.conftest import MODELS, tiny_config

CPU = Device(torch.device("cpu"), "fp32", compile=False)
LEVELS = (0.1, 0.5, 0.9)


class Waves(Task[ForecastBatch]):
    """The next value of noisy sine waves of one length and unknown phase."""

    series, steps = 24, 40

    def values(self, split: Split) -> Tensor:
        """value_NT of a split's waves."""
        generator = torch.Generator().manual_seed(len(split))
        phase_N1 = 6.3 * torch.rand(self.series, 1, generator=generator)
        noise_NT = 0.05 * torch.randn(self.series, self.steps, generator=generator)
        return torch.sin(phase_N1 + 0.9 * torch.arange(self.steps)) + noise_NT

    def batches(self, split: Split, seed: int) -> Iterator[ForecastBatch]:
        value_NT1 = self.values(split)[..., None]
        generator = torch.Generator().manual_seed(seed)
        order_N = torch.randperm(self.series, generator=generator) if split == "train" else torch.arange(self.series)
        for items_B in order_N.split(8):
            value_BT1 = value_NT1[items_B]
            scored_BTK = torch.ones_like(value_BT1[:, 1:], dtype=torch.bool)
            yield ForecastBatch.of(value_BT1[:, :-1], value_BT1[:, 1:], scored_BTK, items_B)

    def build_network(self, model: ModelConfig) -> QuantileRegressor:
        return QuantileRegressor(1, 1, LEVELS, model)

    def meter(self, split: Split) -> ForecastMeter:
        return ForecastMeter(ForecastScale(1, [float(self.values("train").diff().abs().mean())], [1.0]), LEVELS)

    def describe(self) -> Mapping[str, int | str]:
        return {"series": self.series}


@pytest.mark.parametrize("model", MODELS)
def test_a_forecaster_is_a_task_of_four_methods_that_beats_the_naive_forecast(model: str) -> None:
    config = tiny_config(
        model, "char_lm", "optim.learning_rate=0.01", "trainer.max_steps=80", "trainer.eval_every_steps=80"
    )
    task = Waves()
    assert [result for result in check_everything(task, config.model, model) if result.failure] == []
    torch.manual_seed(0)
    network = task.build_network(config.model)
    trainer: Trainer[Any] = Trainer(task, network, config.optim, config.trainer, CPU, seed=0, folder=None)
    trainer.fit()
    meter = evaluate(network, task.batches("test", 0), task.meter("test"), CPU)
    metrics = meter.compute()
    assert metrics["mase_1"].value < 0.6
    assert metrics["crps"].value < metrics["mae"].value  # a band says more than its middle
    low, high = meter.interval(0)
    assert low < metrics["mase_1"].value < high < 1
    assert task.longest() == task.steps - 1
    task.check_windows(7, network)


def _read(batch: ForecastBatch, quantile_BTKQ: Tensor, meter: ForecastMeter) -> None:
    network = QuantileRegressor(1, 1, LEVELS, tiny_config("rnn", "char_lm").model)
    meter.update(batch, StepOutput(torch.tensor(3.0), (), quantile_BTKQ), network)


def test_metrics_count_scored_errors_only_each_in_the_unit_of_its_series() -> None:
    """Two series and three steps ahead; series differ in unit and in how well the naive forecast does."""
    target_BTK, quantile_BTKQ = torch.randn(3, 5, 6), torch.randn(3, 5, 6, 3).sort(-1).values
    scored_BTK = torch.rand(3, 5, 6) < 0.7
    scored_BTK[:, 0] = True
    whole = ForecastBatch.of(torch.randn(3, 5, 1), target_BTK, scored_BTK, torch.tensor([2, 0, 1]))
    meter, cut = (ForecastMeter(ForecastScale(24, [0.5, 20.0], [10.0, 100.0]), LEVELS) for _ in range(2))
    _read(whole, quantile_BTKQ, meter)
    for window, part in zip(whole.windows(2), quantile_BTKQ.split(2, 1), strict=True):
        _read(window, part, cut)
    absolute, scaled, crps, covered = [], [], [], []
    for b, t, k in scored_BTK.nonzero().tolist():
        unit, naive = (10.0, 0.5) if k % 2 == 0 else (100.0, 20.0)
        truth, (low, middle, high) = float(target_BTK[b, t, k]), quantile_BTKQ[b, t, k].tolist()
        absolute.append(unit * abs(truth - middle))
        scaled.append(unit * abs(truth - middle) / naive)
        errors = [(level, truth - quantile) for level, quantile in zip(LEVELS, (low, middle, high), strict=True)]
        crps.append(unit * 2 * sum(max(level * error, (level - 1) * error) for level, error in errors) / 3)
        covered.append(low <= truth <= high)
    wanted = {"mase_24": scaled, "mae": absolute, "crps": crps, "coverage_80": covered}
    for found in (meter, cut):
        figures = found.compute()
        for name, values in wanted.items():
            assert figures[name].value == pytest.approx(sum(values) / len(values), rel=1e-5), name
        sums = found.item_sums()
        assert sums.aggregate(sums.sums_NK.sum(0)) == pytest.approx(figures["mase_24"].value)
        assert [item["item"] for item in found.items()] == [0, 1, 2]
        assert sum(item["values"] for item in found.items()) == int(scored_BTK.sum())
    assert np.allclose(meter.item_sums().sums_NK, cut.item_sums().sums_NK)


def test_a_point_forecast_has_the_metrics_of_a_network_whose_quantiles_are_all_that_point() -> None:
    target_BTK, point_BTK = torch.randn(4, 1, 6), torch.randn(4, 1, 6)
    scored_BTK = torch.rand(4, 1, 6) < 0.8
    scale = ForecastScale(7, [0.5, 2.0], [1.0, 1.0])
    meter = ForecastMeter(scale, LEVELS)
    batch = ForecastBatch.of(target_BTK, target_BTK, scored_BTK, torch.arange(4))
    _read(batch, point_BTK[..., None].expand(-1, -1, -1, 3), meter)
    error_NK = (target_BTK - point_BTK).flatten(0, 1).double().numpy()
    points, items = scale.of_points(error_NK, scored_BTK.flatten(0, 1).numpy())
    figures = meter.compute()
    assert items == pytest.approx(meter.item_sums().item_values(), rel=1e-4)
    for name, metric in points.items():
        assert metric.value == pytest.approx(figures[name].value, rel=1e-5), name


def test_an_origin_without_known_values_is_an_item_like_those_of_a_baseline() -> None:
    """Even if it is alone in its batch: items of a network and of a baseline are compared one by one."""
    target_BTK = torch.randn(4, 1, 2)
    scored_BTK = torch.ones_like(target_BTK, dtype=torch.bool)
    scored_BTK[2] = False
    scale = ForecastScale(1, [1.0], [1.0])
    meter = ForecastMeter(scale, LEVELS)
    for row in range(4):
        one = slice(row, row + 1)
        batch = ForecastBatch.of(target_BTK[one], target_BTK[one], scored_BTK[one], torch.tensor([row]))
        _read(batch, torch.zeros(1, 1, 2, 3), meter)
    items = scale.of_points(target_BTK[:, 0].double().numpy(), scored_BTK[:, 0].numpy())[1]
    assert len(items) == 4
    assert meter.item_sums().item_values() == pytest.approx(items, rel=1e-5)


@pytest.mark.parametrize(
    ("origins", "together", "block"), [(3, 1, 1), (8, 1, 2), (73, 1, 5), (400, 24, 24), (40, 24, 10)]
)
def test_a_block_is_as_long_as_season_and_horizon_and_grows_with_the_split(
    origins: int, together: int, block: int
) -> None:
    scale = ForecastScale(24, [1.0], [1.0], together)
    assert scale.item_sums(np.ones((origins, 4)), "mase_24").block == block


def test_a_series_that_repeats_itself_is_refused() -> None:
    with pytest.raises(DataError, match="24 steps before"):
        ForecastScale(24, [0.0], [1.0])
