"""The view of forecasts: those that the network makes, their bands and their errors by steps ahead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqlab.core.forecast import ForecastSource, forecast_source
from seqlab.core.offers import offers
from seqlab.errors import ConfigError
from seqlab.insight.forecast import forecast
from seqlab.insight.inspected import InspectedRun
from tests.conftest import TASKS, tiny_config, tiny_network, tiny_task

FORECASTING = [task for task in TASKS if offers(tiny_task(tiny_config("gru", task)), ForecastSource)]


def _run(task: str, *overrides: str) -> InspectedRun:
    config = tiny_config("gru", task, *overrides)
    return InspectedRun("gru", Path("runs/a"), config, tiny_task(config), tiny_network(config), 4)


@pytest.mark.parametrize("task", FORECASTING)
def test_the_picture_shows_what_the_network_predicts(task: str) -> None:
    run = _run(task, "task.validation_share=0.1", "task.train_share=0.8")
    (picture,) = forecast(run)
    every = forecast_source(run.task).forecasts(run.network, 200)
    drawn = picture.data["forecasts"]
    assert len(drawn) == 4
    assert len(every) > 4
    assert drawn[0]["quantiles"] == every[0].quantile_HQ.tolist()
    assert drawn[-1]["labels"] == list(every[-1].labels[-len(every[-1].truth_H) :])
    error_NH = np.array([np.abs(one.truth_H - one.median) for one in every])
    assert picture.data["error_by_step"]["network"] == pytest.approx(np.nanmean(error_NH, 0).tolist())
    inside = [
        low <= truth <= high
        for one in every
        for truth, low, high in zip(one.truth_H, one.quantile_HQ[:, 0], one.quantile_HQ[:, -1], strict=True)
        if not np.isnan(truth)
    ]
    assert picture.data["covered"] == pytest.approx(np.mean(inside))
    assert picture.svg.count("<path") > 20


@pytest.mark.parametrize("task", FORECASTING)
def test_forecasts_that_are_not_finite_are_not_drawn(task: str) -> None:
    run = _run(task)
    next(run.network.parameters()).data.fill_(float("nan"))
    with pytest.raises(ConfigError, match="not finite"):
        forecast(run)


def test_other_tasks_say_why_there_are_none() -> None:
    task = next(task for task in TASKS if task not in FORECASTING)
    with pytest.raises(ConfigError, match="forecasts no real values"):
        forecast(replace(_run(task)))
