"""The quantile regressor: quantiles never cross, and its loss is the pinball loss, in fp32 and of scored targets."""

from __future__ import annotations

import pytest
import torch

from seqlab.data.series_windows import ForecastBatch
from seqlab.networks.quantile_regressor import QuantileRegressor
from tests.conftest import TASKS, tiny_config


@pytest.mark.parametrize("levels", [(0.5,), (0.1, 0.5, 0.9), (0.5, 0.7, 0.9), (0.1, 0.2, 0.3, 0.4, 0.5, 0.9)])
def test_quantiles_increase_around_the_median(levels: tuple[float, ...]) -> None:
    torch.manual_seed(0)
    network = QuantileRegressor(2, 3, levels, tiny_config("gru", TASKS[0]).model)
    raw_BTKQ = 20 * torch.randn(4, 5, 3, len(levels))
    quantile_BTKQ = network.quantiles(raw_BTKQ)
    assert bool((quantile_BTKQ.diff(dim=-1) >= 0).all())
    middle = levels.index(0.5)
    assert torch.equal(quantile_BTKQ[..., middle], raw_BTKQ[..., middle])


def test_the_loss_is_twice_the_pinball_loss_over_scored_targets() -> None:
    levels = (0.1, 0.5, 0.8)
    torch.manual_seed(0)
    network = QuantileRegressor(2, 3, levels, tiny_config("gru", TASKS[0]).model).eval()
    scored_BTK = torch.rand(4, 6, 3) < 0.5
    batch = ForecastBatch.of(torch.randn(4, 6, 2), torch.randn(4, 6, 3), scored_BTK, torch.arange(4))
    with torch.no_grad():
        output = network(batch, network.initial_state(4))
    total = 0.0
    for b, t, k in scored_BTK.nonzero().tolist():
        for level, quantile in zip(levels, output.logits[b, t, k].tolist(), strict=True):
            error = float(batch.targets_BTK[b, t, k]) - quantile
            total += 2 * (level * error if error > 0 else (level - 1) * error) / len(levels)
    assert float(output.loss_sum) == pytest.approx(total, rel=1e-5)
    assert batch.target_count == int(scored_BTK.sum())
