"""The test split is read once, at the end, for final figures, and for nothing else."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from seqlab import load
from seqlab.cli.display import Terminal
from seqlab.cli.evaluation import show_evaluation
from seqlab.cli.report import show_dry_run, show_result
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.request import read_request
from seqlab.comparison.resolve_plan import resolve_plan
from seqlab.config.run import load_run_config
from seqlab.core.example import example_reader, example_source
from seqlab.runs.dry_run import dry_run
from seqlab.runs.train import train
from tests.conftest import TASKS, tiny_config, tiny_network, tiny_overrides, without_test


@pytest.mark.parametrize("name", TASKS)
def test_samples_and_pictures_need_no_test_split(name: str) -> None:
    """Samples, and the passages of pictures, of a task whose test split was taken away."""
    config = tiny_config("gru", name)
    task, network = config.task.build(), tiny_network(config)
    whole = task.samples(network, 3), example_source(task).example_text(30)
    without_test(task)
    assert (task.samples(network, 3), example_source(task).example_text(30)) == whole
    assert example_reader(task).example(network, example_source(task).example_text(30)).tokens


def _said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


@pytest.mark.parametrize(("shares", "same"), [((0.9, 0.1), True), ((0.8, 0.1), False)])
def test_a_corpus_without_a_test_split_says_test_is_validation(
    shares: tuple[float, float], same: bool, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = (f"task.corpus={corpus}", f"task.train_share={shares[0]}", f"task.validation_share={shares[1]}")
    words = tiny_overrides("rnn", "char_lm", *given, "device=cpu")
    config = load_run_config(words)
    consoles = [Console(file=io.StringIO(), width=200) for _ in range(4)]
    result = train(config, Terminal(consoles[0], quiet=True), folder=Path("made"))
    show_result(result, consoles[1], [], None)
    show_dry_run(dry_run(config), consoles[2])
    show_evaluation(load("made").evaluate(), consoles[3])
    assert [("test = validation" in _said(console)) for console in consoles[:3]] == [same] * 3
    assert ("test (= validation) split" in _said(consoles[3])) == same
    stored = json.loads(Path("made/result.json").read_text(encoding="utf-8"))
    assert stored["test_is_validation"] is same
    assert load("made").evaluate().as_json()["test_is_validation"] is same

    request = read_request(["rnn", *words[1:]], seeds=1)
    parsed, configs = parse_plan(request, None)
    plan = resolve_plan(parsed, request, configs, None)
    assert any("test = validation" in note for note in plan.notes) is same
