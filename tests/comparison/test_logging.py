"""Where curves go may change in the middle of a comparison or a sweep, and what was typed last holds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from seqlab.checkpoints.retention import checkpoints_in
from seqlab.comparison import compare
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.plan import folder_of, write_plan
from seqlab.comparison.request import read_request
from seqlab.config.run import load_run_config, read_run_config
from seqlab.errors import ConfigError
from seqlab.executors.job import Job
from seqlab.runs.resume import resume
from seqlab.runs.train import train
from seqlab.sweeps import sweep
from seqlab.sweeps.plan import FORMAT, SweepPlan, digest_of
from seqlab.sweeps.plan import folder_of as sweep_folder_of
from seqlab.sweeps.request import read_sweep
from seqlab.tracking.csv import CSVConfig
from tests.conftest import TEXT, on_corpus, tiny_overrides


def test_a_stored_plan_takes_the_logging_of_the_command(tmp_path: Path) -> None:
    words = ["rnn", "own: gru logging=none", f"runs_dir={tmp_path}"]
    parsed, _ = parse_plan(read_request([*words, "logging=[csv,tensorboard]"]), None)
    folder = folder_of(parsed, tmp_path, None)
    folder.mkdir(parents=True)
    write_plan(parsed, folder)
    plan = compare.plan_only(read_request([*words, "logging=csv"]), None, None)
    rnn, own = ([word for word in variant.overrides if "logging" in word] for variant in plan.variants)
    assert (rnn, own) == (["logging=csv"], ["logging=none"])
    plan = compare.plan_only(read_request(words), None, None)
    assert not any("logging" in word for word in plan.variants[0].overrides)


def test_so_does_that_of_a_sweep(tmp_path: Path) -> None:
    words = ["model=rnn", "optim.learning_rate=0.1,0.2", f"runs_dir={tmp_path}"]
    request = read_sweep([*words, "logging=csv"])
    models, _ = parse_plan(request.models, None)
    stored = SweepPlan(FORMAT, digest_of(models, request), models, 1, 0)
    folder = sweep_folder_of(stored, request, None)
    folder.mkdir(parents=True)
    write_plan(stored, folder)
    plan = sweep.plan_only(read_sweep([*words, "logging=none"]), None, None)
    assert [word for word in plan.models.variants[0].overrides if "logging" in word] == ["logging=none"]


def test_a_stopped_run_goes_on_with_the_trackers_wanted_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tiny_overrides("rnn", "char_lm", *on_corpus("char_lm", TEXT), "device=cpu", "device.threads=1")
    given += ["trainer.save_every_steps=2"]
    folder = tmp_path / "run"
    overrides = [*given, "logging=csv", "seed=0"]
    train(load_run_config(overrides), overrides=overrides, folder=folder)
    (folder / "result.json").unlink()
    shutil.rmtree(checkpoints_in(folder / "checkpoints")[-1])

    def renewed(*logging: str) -> Job:
        job = Job("rnn", 0, folder, (*given, *logging), None)
        assert job.is_resumable()
        job.renew_logging()
        return job

    before = (folder / "config.yaml").read_text()
    renewed("logging=csv")
    assert (folder / "config.yaml").read_text() == before
    # what is missing is said before the run is touched
    monkeypatch.setattr(CSVConfig, "package", "no_such_package")
    with pytest.raises(ConfigError, match=r"logging\.csv needs the package no_such_package"):
        resume(folder, ())
    (folder / "metrics.csv").unlink()
    job = renewed("logging=none")
    stored = read_run_config(folder / "config.yaml")
    assert (stored.logging, stored.names["logging"]) == ({}, "none")
    resume(folder, ())
    assert job.is_complete()
    assert not (folder / "metrics.csv").exists()
    assert (folder / "overrides.txt").read_text().splitlines() == [*given, "logging=none", "seed=0"]
