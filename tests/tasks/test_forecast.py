"""Forecasting a user's own table: corpus, predictions with times, texts for pictures, a run without its corpus."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab.baselines.seasonal import seasonal_naive
from seqlab.core.other_corpus import with_test_corpus
from seqlab.core.prediction import GenerationConfig
from seqlab.data.series import read_series
from seqlab.errors import DataError
from seqlab.tasks.forecast import Forecast, ForecastConfig
from tests.conftest import tiny_config, tiny_network, tiny_task

SHARES = ("task.train_share=0.8", "task.validation_share=0.1")


def _table(path: Path, rows: int, start: datetime = datetime(2024, 3, 1), minutes: int = 60) -> Path:
    times = [f"{start + timedelta(minutes=minutes * row):%Y-%m-%d %H:%M}" for row in range(rows)]
    lines = [f"{time},{50 + (row * 7) % 24 + row % 5},{row % 12 + row % 7}" for row, time in enumerate(times)]
    path.write_text("\n".join(["time,load,temp", *lines]) + "\n", encoding="utf-8")
    return path


def _task(path: Path, *overrides: str) -> tuple[Forecast, ForecastConfig]:
    config = tiny_config("gru", "forecast", f"task.corpus={path}", *SHARES, *overrides)
    task = tiny_task(config)
    assert isinstance(task, Forecast)
    assert isinstance(config.task, ForecastConfig)
    return task, config.task


def test_a_forecast_has_the_times_after_the_last_row(tmp_path: Path) -> None:
    path = _table(tmp_path / "a.csv", 400)
    task, _ = _task(path, "task.value_columns=[temp,load]")
    network = tiny_network(
        tiny_config("gru", "forecast", f"task.corpus={path}", *SHARES, "task.value_columns=[temp,load]")
    )
    given = _table(tmp_path / "b.csv", 30, datetime(2025, 1, 1))
    found = task.predict(network, f" {given} ", GenerationConfig())
    rows = found.details["forecast"]
    assert found.details["read"] == 30
    hours = [f"2025-01-02 {hour:02}:00" for hour in (6, 7, 8, 9)]
    assert [(row["time"], row["series"]) for row in rows] == [
        (hour, name) for hour in hours for name in ("temp", "load")
    ]
    for row in rows:
        quantiles = list(row["quantiles"].values())
        assert quantiles == sorted(quantiles)
        assert row["median"] == row["quantiles"]["0.5"]
    lines = found.text.splitlines()
    assert lines[0].split() == ["time", "series", "median", "0.1", "to", "0.9"]
    assert len({len(line) for line in lines}) == 1


def test_a_line_of_text_is_read_as_the_same_rows_of_a_table(tmp_path: Path) -> None:
    path = _table(tmp_path / "a.csv", 400)
    task, _ = _task(path, "task.value_columns=[load]")
    network = tiny_network(tiny_config("gru", "forecast", f"task.corpus={path}", *SHARES, "task.value_columns=[load]"))
    text = task.example_text(20)
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith(text[:16].replace("T", " ")))
    assert first - 1 == task.spans["validation"][0]
    table = tmp_path / "b.csv"
    table.write_text("\n".join([lines[0], *lines[first : first + 20]]) + "\n", encoding="utf-8")
    predicted = [task.predict(network, given, GenerationConfig()) for given in (text, str(table))]
    assert predicted[0] == predicted[1]
    example = task.example(network, text)
    assert len(example.tokens) == 20
    assert torch.equal(example.batch.inputs_BTF, task.example(network, str(table)).batch.inputs_BTF)
    assert example.batch.inputs_BTF[0].equal(task.windows.inputs_NF[first - 1 : first + 19])


def test_the_sample_is_the_last_forecast_of_validation(tmp_path: Path) -> None:
    path = _table(tmp_path / "a.csv", 400)
    task, _ = _task(path, "task.value_columns=[load]")
    network = tiny_network(tiny_config("gru", "forecast", f"task.corpus={path}", *SHARES, "task.value_columns=[load]"))
    lines = task.samples(network, 0).splitlines()
    assert lines[0].split()[:3] == ["time", "came", "median"]
    last = int(task.origins("validation")[-1])
    came = [f"{value:.4g}" for value in task.series.value_NV[last + 1 : last + 5, 0]]
    assert [line.split()[2] for line in lines[1:]] == came


def test_a_run_forecasts_without_its_corpus(tmp_path: Path) -> None:
    path = _table(tmp_path / "a.csv", 400)
    task, config = _task(path, "task.value_columns=[load]")
    network = tiny_network(tiny_config("gru", "forecast", f"task.corpus={path}", *SHARES, "task.value_columns=[load]"))
    given = _table(tmp_path / "b.csv", 30, datetime(2025, 1, 1))
    before = task.predict(network, str(given), GenerationConfig())

    def read() -> Forecast:
        raise AssertionError("the corpus was read")

    restored = config.restore(dict(task.stored_vocabulary()), read)
    torch.manual_seed(0)
    again = restored.build_network(tiny_config("gru", "forecast").model)
    again.load_state_dict(network.state_dict())
    assert restored.predict(again, str(given), GenerationConfig()) == before


@pytest.mark.parametrize("model", ["gru", "transformer"])
def test_training_on_a_residual_starts_from_the_seasonal_naive_forecast_itself(model: str, tmp_path: Path) -> None:
    path = _table(tmp_path / "a.csv", 400)
    overrides = ("task.value_columns=[load]", "task.residual=24", "task.horizon=30")
    task, config = _task(path, *overrides)
    torch.manual_seed(0)
    network = task.build_network(tiny_config(model, "forecast").model)
    origin_R = task.origins("test")
    median_RHV = task.predicted(network, task.windows, origin_R)[..., config.quantiles.index(0.5)]
    naive_RHV = seasonal_naive(task.value_NV, origin_R.numpy(), 30, 24)
    assert median_RHV == pytest.approx(naive_RHV, rel=1e-4)


def test_a_run_is_scored_on_another_table_without_its_own(tmp_path: Path) -> None:
    """What comes later in one file as it is scored there, in units of training; a missing value is no target."""
    path = _table(tmp_path / "a.csv", 400)
    task, config = _task(path, "task.value_columns=[load]", "task.residual=24")
    restored = config.restore(dict(task.stored_vocabulary()), lambda: pytest.fail("the corpus was read"))
    other = _table(tmp_path / "b.csv", 200, datetime(2025, 1, 1))
    lines = other.read_text(encoding="utf-8").splitlines()
    cells = lines[-1].split(",")
    lines[-1] = ",".join([cells[0], *([""] * (len(cells) - 1))])
    other.write_text("\n".join(lines) + "\n", encoding="utf-8")
    again: Any = with_test_corpus(restored, str(other), "--corpus", config)
    start, end = again.spans["test"]
    assert (start, end) == (max(24, min(4 * config.window, 100)), 200)
    assert sum(batch.target_count for batch in again.batches("test", 0)) > 0
    whole = read_series(other, "k", time_column=None, value_columns=["load"]).value_NV[:, 0]
    scaled = (whole - task.scaling.mean_V[0]) / task.scaling.deviation_V[0]
    assert again.windows.value_NV[:-1, 0].numpy() == pytest.approx(scaled[:-1], rel=1e-4, abs=1e-5)
    assert not again.known_NV[-1].any()
    assert again.meter("test").scale == task.scale
    half = _table(tmp_path / "half.csv", 60, minutes=30)
    short = _table(tmp_path / "s.csv", 25)
    for given, said in ((half, "--corpus=.* are 30 minutes apart"), (short, "give 28 or more")):
        with pytest.raises(DataError, match=said):
            with_test_corpus(restored, str(given), "--corpus", config)


def test_what_does_not_fit_the_network_is_refused(tmp_path: Path) -> None:
    path = _table(tmp_path / "a.csv", 400)
    task, _ = _task(path, "task.value_columns=[load]", "task.residual=24")
    network = task.build_network(tiny_config("gru", "forecast").model)
    for given, message in (
        (str(_table(tmp_path / "half.csv", 30, minutes=30)), "are 30 minutes apart, and those of training 1 hour"),
        (str(_table(tmp_path / "short.csv", 24)), r"24 values, and task.residual=24 (.|\n)*give 25 values or more"),
        ("nofile.csv", "neither a file nor a series of numbers"),
        ("1 2 3", "task.residual=24"),
        (" ".join(["2024-03-01T00:00", *["1"] * 30, "inf"]), "load has values beyond 1e.30"),
    ):
        with pytest.raises(DataError, match=message):
            task.predict(network, given, GenerationConfig())


def test_a_corpus_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(DataError, match=r"neither a corpus nor a file(.|\n)*metro_traffic"):
        tiny_config("gru", "forecast", "task.corpus=metro_trafic").task.build()
