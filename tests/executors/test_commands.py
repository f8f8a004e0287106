"""The commands themselves: a comparison left behind, followed, and made by other executors, with the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seqlab.comparison.background import process_of
from tests.commands import run
from tests.conftest import TEXT, on_corpus, tiny_overrides

WORDS = [
    word
    for word in tiny_overrides("rnn", "char_lm", *on_corpus("char_lm", TEXT), "device.threads=1")
    if not word.startswith("model=")
]
_OF_STEPS = ("step", "tokens", "train/", "val/", "test/", "optim/")


def _metrics(folder: Path) -> list[Any]:
    """Everything that was measured in a comparison's runs, but times."""
    found: list[Any] = []
    for where in sorted(folder.glob("rnn/seed-*")):
        lines = [json.loads(line) for line in (where / "metrics.jsonl").read_text().splitlines()]
        found += [{key: value for key, value in line.items() if key.startswith(_OF_STEPS)} for line in lines]
        found.append((where / "test_items.json").read_bytes())
    return found


@pytest.mark.slow
def test_left_behind_followed_and_made_elsewhere_with_the_same_bytes(tmp_path: Path) -> None:
    words = ["compare", "rnn", *WORDS, "--seeds", "2", "--json"]
    done = run(*words, "--name", "local", "--jobs", "2", "--submit", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / json.loads(done.stdout)["folder"]
    process = process_of(folder)
    assert process is not None
    assert f"process {process['process']} makes the runs" in json.loads(done.stdout)["pending"]
    again = run(*words, "--name", "local", "--submit", cwd=tmp_path)
    assert "makes these runs already" in json.loads(again.stdout)["pending"]
    done = run(*words, "--name", "local", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["rows"][0]["test"]) == 2
    assert "a process in the background makes the runs" in done.stderr
    assert len((folder / "times.jsonl").read_text().split()) > 2

    pytest.importorskip("submitit")
    elsewhere = ["--name", "slurm", "--executor", "slurm", "executor.cluster=local", "--jobs", "2"]
    done = run(*words, *elsewhere, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    other = tmp_path / json.loads(done.stdout)["folder"]
    assert _metrics(other) == _metrics(folder) != []
    first, second = (json.loads((where / "plan.json").read_text()) for where in (folder, other))
    assert first["digest"] == second["digest"]  # who makes the runs is no part of the comparison
