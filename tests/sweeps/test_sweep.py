"""The whole command, with real processes: its files, kills, and that it goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import seqlab
from seqlab.sweeps.trial import read_trials
from tests.commands import Capture, Patch, in_process, run
from tests.conftest import TEXT, on_corpus, tiny_overrides

_LOCKED = 7  # while the last runs of a killed search are still ending
_FIXED = ("model=", "model.width=", "trainer.max_steps=")
WORDS = [
    word
    for word in tiny_overrides("rnn", "char_lm", *on_corpus("char_lm", TEXT), "device.threads=1")
    if not word.startswith(_FIXED)
]
SEARCH = [
    "sweep", "model=rnn,gru", "optim.learning_rate=tag(log,interval(1e-3,1e-1))", "model.width=8", *WORDS,
    "trainer.max_steps=12", "--search", "optuna", "--trials", "4", "--jobs", "2", "--json",
]  # fmt: skip


@pytest.mark.slow
def test_a_grid_from_python_is_made_once_and_its_best_can_be_loaded(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    monkeypatch.chdir(tmp_path)
    words = ["model=rnn", "model.width=8", *WORDS, "trainer.max_steps=4", "trainer.clip_norm=0.5,1.0"]
    code, out, err = in_process(capsys, monkeypatch, "sweep", *words, "--dry-run", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["trials"], told["axes"]) == (2, {"trainer.clip_norm": ["0.5", "1.0"]})
    assert told["seconds"] > 0
    assert not list(tmp_path.iterdir())
    left = seqlab.sweep(*words, name="x", executor="script", submit=True)
    assert left.pending.startswith("2 runs are missing: `sbatch")
    assert repr(left) == left.pending
    elsewhere = (left.folder / "executor" / "jobs-1.txt").read_text().splitlines()[0]
    subprocess.run(["sh", "-c", elsewhere], check=True)
    done = seqlab.sweep(*words, name="x")  # makes the other here
    assert done.folder == Path("runs/sweep/x")
    assert not done.pending
    times = (done.folder / "times.jsonl").read_text().splitlines()
    assert ["trial-" in line for line in times].count(True) == 1
    assert done.table["trial"] in ([0, 1], [1, 0])
    values = done.table["validation"]
    assert values == sorted(values)
    assert done.best == (f"trainer.clip_norm={done.table['trainer.clip_norm'][0]}",)
    assert done.best_run is not None
    assert seqlab.load(done.best_run).result.validation["bits_per_character"] == values[0]
    capsys.readouterr()
    code, out, err = in_process(capsys, monkeypatch, "sweep", *words, "--name", "x", "--json")
    assert code == 0, err
    again = json.loads(out)
    assert [trial["validation"] for trial in again["trials"]] == values
    board = EventAccumulator(str(done.best_run)).Reload()
    content = board.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    shown = HParamsPluginData.FromString(content).session_start_info.hparams
    assert shown["trainer.clip_norm"].number_value == float(done.table["trainer.clip_norm"][0])


def _told(folder: Path) -> list[dict[str, Any]]:
    """The trials without their times."""
    return [{**vars(trial), "seconds": None} for trial in read_trials(folder)]


def _kill(folder: Path, cwd: Path, count: int) -> None:
    """Start the search, and kill it as soon as it has begun so many trials."""
    while True:
        with subprocess.Popen(
            [sys.executable, "-m", "seqlab", *SEARCH, "--name", folder.name],
            cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            while process.poll() is None and len(list(folder.glob("trial-*"))) < count:
                time.sleep(0.05)
            process.kill()
            _, said = process.communicate()
        if process.returncode != _LOCKED:
            assert process.returncode == -signal.SIGKILL, said
            return
        time.sleep(1)


@pytest.mark.slow
def test_a_killed_search_makes_the_same_trials_and_finds_the_same_best(tmp_path: Path) -> None:
    done = run(*SEARCH, "--name", "whole", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = json.loads(done.stdout)
    killed = tmp_path / "runs" / "sweep" / "killed"
    for count in (1, 3):
        _kill(killed, tmp_path, count)
    while (done := run(*SEARCH, "--name", "killed", cwd=tmp_path)).returncode == _LOCKED:
        time.sleep(1)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert _told(killed) == _told(tmp_path / "runs" / "sweep" / "whole")
    assert found["best"] == expected["best"]
