"""What trackers are told of a run."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from seqlab.checkpoints.retention import checkpoints_in
from seqlab.config.run import load_run_config, read_run_config
from seqlab.errors import ConfigError
from seqlab.runs.resume import resume
from seqlab.runs.tracked import tracked
from seqlab.runs.train import train
from seqlab.tracking.tensorboard import TensorBoardConfig
from tests.conftest import TEXT, on_corpus, tiny_config, tiny_overrides, tiny_task


def test_a_run_of_a_comparison_has_its_group(tmp_path: Path) -> None:
    config = tiny_config("rnn", "char_lm", f"task.corpus={TEXT}", "optim.learning_rate=0.01")
    alone = tmp_path / "char_lm" / "rnn" / "a"
    told = tracked(config, alone, tiny_task(config), 77, 0)
    assert (told.name, told.group) == ("char_lm/rnn/a", "")
    assert told.settings["optim.learning_rate"] == told.hparams["optim.learning_rate"] == 0.01
    assert told.settings["parameters"] == 77
    assert not any(key.endswith("_target_") for key in told.settings)
    made = tmp_path / "compare" / "rnn-gru-1" / "rnn" / "seed-0"
    made.mkdir(parents=True)
    (tmp_path / "compare" / "rnn-gru-1" / "plan.json").touch()
    told = tracked(config, made, tiny_task(config), 77, 0)
    assert (told.name, told.group) == ("rnn-gru-1/rnn/seed-0", "rnn-gru-1")


def test_a_resumed_run_may_log_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    given = tiny_overrides("rnn", "char_lm", *on_corpus("char_lm", TEXT), "device=cpu", "device.threads=1")
    overrides = [*given, "trainer.save_every_steps=2", "logging=tensorboard"]
    train(load_run_config(overrides), overrides=overrides, folder=folder)
    (folder / "result.json").unlink()
    shutil.rmtree(checkpoints_in(folder / "checkpoints")[-1])
    metrics, kept = (folder / "metrics.jsonl").read_text(), checkpoints_in(folder / "checkpoints")
    # what the run had is not on this machine: the remedy that is named works
    monkeypatch.setattr(TensorBoardConfig, "package", "no_such_package")
    with pytest.raises(ConfigError, match=r"logging\.tensorboard needs the package no_such_package"):
        resume(folder, ())
    with pytest.raises(ConfigError, match="no_such_tracker"):
        resume(folder, ["logging=no_such_tracker"])
    assert (folder / "metrics.jsonl").read_text() == metrics
    assert checkpoints_in(folder / "checkpoints") == kept
    assert "logging=tensorboard" in (folder / "overrides.txt").read_text()
    resume(folder, ["logging=csv"])
    assert read_run_config(folder / "config.yaml").names["logging"] == "csv"
    assert (folder / "overrides.txt").read_text().splitlines() == [*overrides[:-1], "logging=csv"]
    with (folder / "metrics.csv").open() as rows:
        assert min(int(row["step"]) for row in csv.DictReader(rows)) > 2
    resume(folder, ["trainer.max_steps=9"])  # whatever extends it later keeps that
    assert (folder / "overrides.txt").read_text().splitlines()[-2:] == ["logging=csv", "trainer.max_steps=9"]
    assert read_run_config(folder / "config.yaml").names["logging"] == "csv"
