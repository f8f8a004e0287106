"""`seqlab runs`: found, sorted, shown, told apart."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import Capture, Patch, in_process


def _run(
    root: Path, name: str, *, task: str = "char_lm", model: str = "rnn", value: float | None = 2.0, **more: Any
) -> Path:
    """The files of a run that never was: only what the command reads."""
    folder = root / "runs" / task / model / name
    folder.mkdir(parents=True)
    seed = more.pop("seed", 0)
    (folder / "config.yaml").write_text(
        f"names:\n  model: {model}\n  task: {task}\nmodel:\n  width: 16\nseed: {seed}\n"
    )
    (folder / "overrides.txt").write_text(f"model={model}\n")
    if value is not None:
        metric, higher = ("accuracy", True) if task == "sentiment" else ("bits_per_character", False)
        unit = "" if higher else "bits/char"
        result = {
            "primary": metric, "test": {metric: value, "loss": 1 / value}, "validation": {metric: value},
            "metrics": {
                metric: {"unit": unit, "higher_is_better": higher},
                "loss": {"unit": "", "higher_is_better": False},
            },
            "parameters": 1000, "steps": 10, "seconds": 2.5, "tokens_per_second": 4e4, "best_step": 10, **more,
        }  # fmt: skip
        (folder / "result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: Patch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_best_first_whatever_the_direction(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    for name, value in (("b", 2.1), ("a", 2.3), ("c", 1.9)):
        _run(root, name, value=value)
    for name, value in (("x", 0.7), ("y", 0.8)):
        _run(root, name, task="sentiment", value=value)
    _run(root, "stopped", value=None)
    code, out, _ = in_process(capsys, monkeypatch, "runs", "--json")
    assert code == 0
    names = [Path(run["folder"]).name for run in json.loads(out)]
    assert names == ["c", "b", "a", "y", "x", "stopped"]
    _, out, _ = in_process(capsys, monkeypatch, "runs", "--task", "char_lm", "--sort", "loss", "--json")
    assert [Path(run["folder"]).name for run in json.loads(out)] == ["a", "b", "c", "stopped"]
    _, out, err = in_process(capsys, monkeypatch, "runs")
    assert "bits/char" in out
    assert "no result" in out
    assert "runs/char_lm/rnn/c" in out
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--sort", "nothing"], "sort by: time, model"),
        (["--task", "nothing"], "tasks: char_lm"),
        (["show", "nowhere"], "is not the folder of a run"),
        (["--runs-dir", "x" * 300], "cannot look for runs in"),
        (["diff", "runs/char_lm/rnn/a"], "missing argument"),
    ],
)
def test_mistakes_are_said_in_three_lines(
    root: Path, capsys: Capture, monkeypatch: Patch, words: list[str], part: str
) -> None:
    _run(root, "a")
    code, out, err = in_process(capsys, monkeypatch, "runs", *words)
    assert code in (2, 4)
    assert out == ""
    assert part in err.lower()
    assert len(err.strip().splitlines()) <= 3


def test_no_runs_and_damaged_runs(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    code, out, _ = in_process(capsys, monkeypatch, "runs")
    assert code == 0
    assert "seqlab train" in out
    _run(root, "good")
    (_run(root, "empty") / "result.json").write_text("{}")
    (_run(root, "list") / "result.json").write_text("[1]")
    (_run(root, "config") / "config.yaml").write_text("names: [")
    (_run(root, "text") / "config.yaml").write_text("words")
    code, out, err = in_process(capsys, monkeypatch, "runs")
    assert code == 0
    assert out.count("no result") == 2
    assert err.count("left out: ") == 2


def test_show_and_diff(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    long = "texts/" + "x" * 60 + ".txt"
    a, b = _run(root, "a", value=2.0), _run(root, "b", model="gru", value=1.5, seed=3)
    for folder, corpus in ((a, "python_docs"), (b, long)):
        with (folder / "config.yaml").open("a") as file:
            file.write(f"task:\n  corpus: {corpus}\n")
    (a / "samples.txt").write_text("once upon [bold]a time\n")
    os.utime(a / "result.json", (2**31,) * 2)  # the last
    code, out, _ = in_process(capsys, monkeypatch, "runs", "show", "last")
    assert code == 0
    assert "rnn on char_lm, seed 0" in out
    assert "once upon [bold]a time" in out
    code, out, _ = in_process(capsys, monkeypatch, "runs", "diff", str(a), str(b))
    assert code == 0
    assert "python_docs" in out
    assert long in "".join(line.split()[-1] for line in out.splitlines() if "x" * 10 in line)
    assert "-0.5000" in out
    assert "width" not in out
    _, out, _ = in_process(capsys, monkeypatch, "runs", "diff", str(a), str(b), "--json")
    found = json.loads(out)
    assert found["config"]["seed"] == [0, 3]
    assert found["figures"]["test.bits_per_character"] == [2.0, 1.5]
