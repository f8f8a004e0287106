"""Weights & Biases and MLflow for real, without a network: a killed and resumed run, and servers that are not there."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.commands import run
from tests.conftest import tiny_overrides

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (find_spec("wandb") and find_spec("mlflow")), reason="extras wandb and mlflow"),
]
BOTH = "logging=[csv,wandb,mlflow]"


def words(folder: Path, *more: str) -> list[str]:
    (folder / "corpus.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 60)
    return tiny_overrides("gru", "char_lm", "device=cpu", "task.corpus=corpus.txt", *more)


def logged(folder: Path) -> tuple[set[int], set[int]]:
    """(steps, rows) in the file of a run of wandb: a log of LevelDB, in blocks of 32 KiB, after a header of 7 bytes."""
    (path,) = folder.glob("*.wandb")
    data, at, found = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 6], "little")
        found += data[at + 7 : at + 7 + size]
        at += 7 + size
        if 2**15 - at % 2**15 < 7:
            at += 2**15 - at % 2**15
    # the key and the JSON of each value
    steps, rows = (re.findall(rb"\x12" + key + rb"\x82\x01.(\d+)", found) for key in (rb"\x04step", rb"\x05_step"))
    return set(map(int, steps)), set(map(int, rows))


def test_a_killed_and_resumed_run_is_one_run_that_has_each_step_once(tmp_path: Path) -> None:
    long = ("trainer.max_steps=400", "trainer.save_every_steps=20", "trainer.eval_every_steps=50")
    command = [*words(tmp_path, *long), BOTH, "logging.wandb.mode=offline"]
    log = tmp_path / "a" / "metrics.jsonl"
    with subprocess.Popen(
        [sys.executable, "-m", "seqlab", "train", *command, "--folder", "a"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        while not (log.exists() and '"step": 130,' in log.read_text()):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    sent = json.loads((tmp_path / "a" / "tracker-wandb.json").read_text())["sent"]["train"]
    assert sent >= 120
    # not tests.commands.run: libraries that MLflow is made of warn of each other's changes to come
    again = [sys.executable, "-m", "seqlab", "resume", "a", "--json"]
    done = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "warning: cannot log" not in done.stderr
    result = json.loads(done.stdout)  # neither prints into it
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        ((number, status),) = store.execute("SELECT run_uuid, status FROM runs").fetchall()
        steps = [step for (step,) in store.execute("SELECT step FROM metrics WHERE key = 'train/loss' ORDER BY step")]
        test = dict(store.execute("SELECT key, value FROM metrics WHERE key LIKE 'test/%'"))
        parameters = dict(store.execute("SELECT key, value FROM params"))
    assert (number, status) == (json.loads((tmp_path / "a" / "tracker-mlflow.json").read_text())["run"], "FINISHED")
    assert steps == [*range(1, 401)]
    assert test["test/loss"] == pytest.approx(result["test"]["loss"])
    assert parameters["model.width"] == "16"
    assert parameters.keys() >= {"git_commit", "parameters", "seed", "task"}
    name = json.loads((tmp_path / "a" / "tracker-wandb.json").read_text())["id"]
    folders = list((tmp_path / "wandb").glob("offline-run-*"))
    assert len(folders) == 2
    assert all(folder.name.endswith(name) for folder in folders)
    # the files of wandb: of each logged value, its key and its JSON
    # a killed wandb may lack the end of its file; the next one goes on after what it was sent
    (_, early), (later, late) = map(logged, sorted(folders))
    assert later == {*range(sent + 1, 401)}
    assert early < {*range(408)}  # 400 log lines and 8 validations, each a row
    assert late == {*range(408)} - {*range(min(late))}
    assert not early & late


def test_servers_that_are_not_there_cost_one_warning_each(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    command = [*words(tmp_path), BOTH, f"logging.mlflow.uri={nowhere}"]
    started = {"WANDB_BASE_URL": nowhere, "WANDB_API_KEY": "0" * 40}
    done = run("train", *command, "--folder", "a", cwd=tmp_path, **started)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("training continues without it") == 2
    assert "Traceback" not in done.stderr
    assert (tmp_path / "a" / "result.json").exists()


def test_a_key_that_is_missing_is_an_error_before_training(tmp_path: Path) -> None:
    none = {"HOME": str(tmp_path), "NETRC": "", "WANDB_API_KEY": "", "WANDB_MODE": "online"}
    done = run("train", *words(tmp_path), "logging=wandb", "--folder", "a", cwd=tmp_path, **none)
    assert done.returncode == 2
    assert "there is no API key" in done.stderr
    assert "logging.wandb.mode=offline" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.txt"]
