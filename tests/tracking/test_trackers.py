"""Trackers: each step once, also after a kill, and a tracker that fails costs nothing but itself."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.comparison.existing import without_seed
from seqlab.config.run import load_run_config
from seqlab.core.metric import Metric
from seqlab.errors import ConfigError
from seqlab.runs.rewind import rewind_logs
from seqlab.tracking.csv import CSVConfig
from seqlab.tracking.mlflow import is_elsewhere
from seqlab.tracking.recorder import Recorder
from seqlab.tracking.sending import SendingTracker
from seqlab.tracking.tracker import Entry, Final, TrackedRun, Tracker, TrackerConfig, memory_of
from seqlab.training.progress import Progress

FINAL = Final(6, {"loss": 0.4}, {"loss": 0.5}, "abc")


def run_in(folder: Path, step: int = 0) -> TrackedRun:
    return TrackedRun(folder, "char_lm/lstm/a", "", "seed: 0\n", {"seed": 0}, {"seed": 0}, ["val_best/loss"], step)


def record(folder: Path, tracker: TrackerConfig, first: int, last: int, *, saved: int = 0, done: bool = False) -> None:
    """Steps first to last of a run with a validation every second step. It is killed after the last, or is done."""
    recorder = Recorder(run_in(folder, first - 1), {"it": tracker}).__enter__()
    for step in range(first, last + 1):
        progress = Progress(step=step, tokens=10 * step, seconds=float(step))
        recorder.logged(progress, {"train/loss": 1 / step})
        if step % 2 == 0:
            recorder.evaluated(progress, {"loss": Metric(2 / step, "nats", False)}, "loss", True)
        recorder.show(step, scalars={"weights_gradient/head": 1.0})
        if step == saved:
            recorder.saving(progress)
    if done:
        recorder.finish(FINAL, progress)
    recorder.__exit__(None, None, None)  # which sends nothing


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_has_a_row_for_each_step_and_a_column_for_each_scalar(tmp_path: Path) -> None:
    record(tmp_path, CSVConfig(), 1, 6, done=True)
    rows = table(tmp_path)
    assert [row["step"] for row in rows] == list("123456")
    assert list(rows[0]) == ["step", "tokens", "seconds", "train/loss", "val/loss", "val_best/loss", "test/loss"]
    assert [float(row["val/loss"] or 0) for row in rows] == [0, 1, 0, 0.5, 0, 2 / 6]
    assert (rows[-1]["val_best/loss"], rows[-1]["test/loss"]) == ("0.4", "0.5")


def test_the_table_of_a_resumed_run_is_that_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    record(whole, CSVConfig(), 1, 6, done=True)
    record(killed, CSVConfig(), 1, 6, done=True)  # and extended, from the checkpoint of step 4 before its validation
    rewind_logs(killed, Progress(step=4, evaluated_step=2), [CSVConfig()])
    assert [row["step"] for row in table(killed)] == list("1234")
    assert table(killed)[-1]["val/loss"] == ""
    rewind_logs(killed, Progress(step=3, evaluated_step=2), [CSVConfig()])
    record(killed, CSVConfig(), 4, 6, done=True)
    assert table(killed) == table(whole)


@config_dataclass(frozen=True, kw_only=True)
class FarConfig(TrackerConfig):
    """A place that takes nothing back: a file."""

    def open(self, run: TrackedRun) -> Tracker:
        return _Far(run)


class _Far(SendingTracker):
    def __init__(self, run: TrackedRun) -> None:
        self.place = run.folder / "far.jsonl"
        super().__init__(memory_of(run.folder, "far"), run.remembered("far") or {"id": "x"})

    def send(self, entries: Sequence[Entry]) -> None:
        with self.place.open("a") as file:
            for entry in entries:
                file.write(json.dumps([entry.step, *sorted(entry.scalars)]) + "\n")


def far(folder: Path) -> list[tuple[int, str]]:
    lines = [json.loads(line) for line in (folder / "far.jsonl").read_text().splitlines()]
    return [(step, tag) for step, *tags in lines for tag in tags]


def test_a_place_that_takes_nothing_back_gets_each_step_once(tmp_path: Path) -> None:
    record(tmp_path, FarConfig(), 1, 5, saved=4)  # killed: what came after the checkpoint was not sent
    assert max(far(tmp_path))[0] == 4
    assert run_in(tmp_path).remembered("far")["id"] == "x"  # the same run there
    record(tmp_path, FarConfig(), 3, 6, saved=6, done=True)  # from an earlier checkpoint, since the last was damaged
    for tag, steps in (("train/loss", range(1, 7)), ("val/loss", (2, 4, 6)), ("weights_gradient/head", range(1, 7))):
        assert [step for step, found in far(tmp_path) if found == tag] == [*steps]


def test_a_postponed_validation_is_sent(tmp_path: Path) -> None:
    recorder = Recorder(run_in(tmp_path), {"far": FarConfig()}).__enter__()
    recorder.logged(Progress(step=4), {"train/loss": 1.0})
    recorder.saving(Progress(step=4))
    recorder.__exit__(None, None, None)
    again = Recorder(run_in(tmp_path, 4), {"far": FarConfig()}).__enter__()
    again.evaluated(Progress(step=4), {"loss": Metric(1.0, "nats", False)}, "loss", True)
    again.saving(Progress(step=4))
    again.__exit__(None, None, None)
    assert far(tmp_path) == [(4, "train/loss"), (4, "val/loss")]


def test_what_could_not_be_sent_is_not_sent_again(tmp_path: Path) -> None:
    class Cut(_Far):
        def send(self, entries: Sequence[Entry]) -> None:
            super().send(entries)
            raise ConnectionError("after they had arrived")

    tracker = Cut(run_in(tmp_path))
    tracker.log(Entry(1, {"train/loss": 1.0}))
    with pytest.raises(ConnectionError):
        tracker.flush()
    tracker.flush()  # as it closes
    assert far(tmp_path) == [(1, "train/loss")]


def test_only_another_store_makes_another_run_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"uri": f"sqlite:///{tmp_path}/a.db", "given": "sqlite:///a.db", "run": "x"}
    assert not is_elsewhere("sqlite:///a.db", known)  # resumed in another folder
    assert not is_elsewhere(None, known)
    assert not is_elsewhere("sqlite:///b.db", {})
    assert is_elsewhere("http://127.0.0.1:9", known)
    monkeypatch.chdir(tmp_path)
    assert is_elsewhere("sqlite:///b.db", known)
    assert not is_elsewhere(known["uri"], known)


@config_dataclass(frozen=True, kw_only=True)
class BrokenConfig(TrackerConfig):
    """Fails in this method."""

    method: str

    def open(self, run: TrackedRun) -> Tracker:
        if self.method == "open":
            raise ConnectionError("the server\nis gone")
        return _Broken(self.method)


class _Broken(Tracker):
    def __init__(self, method: str) -> None:
        self.method, self.called = method, list[str]()

    def log(self, entry: Entry) -> None:
        self._call("log")

    def flush(self) -> None:
        self._call("flush")

    def finish(self, final: Final) -> None:
        self._call("finish")

    def close(self, finished: bool) -> None:
        self._call("close")

    def _call(self, method: str) -> None:
        assert self.method not in self.called or method == "close"  # nothing is asked of it after its failure
        self.called.append(method)
        if method == self.method:
            raise ConnectionError("the server\nis gone")


@pytest.mark.parametrize("method", ["open", "log", "flush", "finish", "close"])
def test_a_tracker_that_fails_gives_one_warning(method: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.WARNING, "seqlab"),
        Recorder(run_in(tmp_path), {"broken": BrokenConfig(method=method), "csv": CSVConfig()}) as recorder,
    ):
        for step in range(1, 4):
            recorder.logged(Progress(step=step), {"train/loss": 1.0})
            recorder.saving(Progress(step=step))
        recorder.finish(FINAL, Progress(step=3))
    said = [entry.getMessage() for entry in caplog.records]
    assert said == ["cannot log to broken: the server is gone; training continues without it"]
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 4
    assert [row["step"] for row in table(tmp_path)] == list("123")


@config_dataclass(frozen=True, kw_only=True)
class AbsentConfig(FarConfig):
    """Needs a package that is not installed."""

    package: ClassVar[str | None] = "no_such_package"


def test_a_missing_package_is_named_with_its_remedy() -> None:
    with pytest.raises(ConfigError, match=r"logging\.absent needs the package no_such_package") as raised:
        AbsentConfig().check("logging.absent")
    assert "pip install 'seqlab[no_such_package]'" in raised.value.hint


def test_trackers_are_chosen_as_options_of_a_group() -> None:
    config = load_run_config(["logging=[tensorboard,csv]"])
    assert list(config.logging) == ["tensorboard", "csv"]
    assert config.names["logging"] == "tensorboard,csv"
    assert load_run_config(["logging=none"]).logging == {}
    with pytest.raises(ConfigError) as raised:
        load_run_config(["logging=tensorboard,csv"])
    assert "'logging=[tensorboard,csv]'" in raised.value.hint
    with pytest.raises(ConfigError) as raised:
        load_run_config(["logging.wandb.project=mine"])
    assert raised.value.hint == "it belongs to logging=wandb"


def test_where_curves_go_makes_no_other_comparison() -> None:
    plain = without_seed(load_run_config([]).yaml)
    assert without_seed(load_run_config(["logging=[csv,tensorboard]"]).yaml) == plain
    assert without_seed(load_run_config(["logging=none"]).yaml) == plain
    assert "logging" not in plain
