"""Forecasting a user's own table: corpus, predictions with times, texts for pictures, a run without its corpus."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch

from seqlab.core.prediction import GenerationConfig
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


def test_what_does_not_fit_the_network_is_refused(tmp_path: Path) -> None:
    path = _table(tmp_path / "a.csv", 400)
    task, _ = _task(path, "task.value_columns=[load]", "task.residual=24")
    network = task.build_network(tiny_config("gru", "forecast").model)
    for given, message in (
        (str(_table(tmp_path / "half.csv", 30, minutes=30)), "are 30 minutes apart, and those of training 1 hour"),
        (str(_table(tmp_path / "short.csv", 24)), r"24 values, and task.residual=24 (.|\n)*give 25 values or more"),
        ("nofile.csv", "neither a file nor a series of numbers"),
        ("1 2 3", "task.residual=24"),
    ):
        with pytest.raises(DataError, match=message):
            task.predict(network, given, GenerationConfig())


def test_a_corpus_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(DataError, match=r"neither a corpus nor a file(.|\n)*metro_traffic"):
        tiny_config("gru", "forecast", "task.corpus=metro_trafic").task.build()
