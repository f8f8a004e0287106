"""A task's warnings are shown wherever its figures are."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from seqlab.cli.display import Terminal
from seqlab.cli.report import show_dry_run, show_result
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.request import read_request
from seqlab.comparison.resolve_plan import resolve_plan
from seqlab.config.run import load_run_config
from seqlab.runs.dry_run import dry_run
from seqlab.runs.train import train
from tests.conftest import tiny_overrides

MODULE = """
from pydantic.dataclasses import dataclass

from seqlab.tasks.char_lm import CharLM, CharLMConfig


@dataclass(frozen=True, kw_only=True)
class DoubtfulConfig(CharLMConfig):
    def build(self):
        return Doubtful("the quick brown fox jumps over the lazy dog.\\n" * 60, self)


class Doubtful(CharLM):
    def warnings(self):
        return ["the same line [sixty times]: give a longer text"]
"""
SAID = "the same line [sixty times]: give a longer text"


@pytest.fixture
def config_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "configs" / "task").mkdir(parents=True)
    (tmp_path / "doubtful_text.py").write_text(MODULE)
    yaml = "# @package _global_\ndefaults:\n  - char_lm\ntask:\n  _target_: doubtful_text.DoubtfulConfig\n"
    (tmp_path / "configs" / "task" / "doubtful.yaml").write_text(yaml)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "configs"


def _words() -> list[str]:
    small = tiny_overrides("rnn", "char_lm", "task.train_share=0.8", "task.validation_share=0.1", "device=cpu")
    return ["model=rnn", "task=doubtful", *small[2:]]


def test_a_warning_is_shown_logged_and_kept_with_the_figures(config_dir: Path) -> None:
    config = load_run_config(_words(), config_dir)
    told, shown = (Console(file=io.StringIO(), width=200) for _ in range(2))
    result = train(config, Terminal(told, quiet=True), folder=Path("made"))
    show_result(result, shown, [], config_dir)
    assert isinstance(told.file, io.StringIO)
    assert told.file.getvalue().count(f"warning: {SAID}") == 1
    assert isinstance(shown.file, io.StringIO)
    assert "warning: 1 about the data, shown before training" in shown.file.getvalue()
    assert f"WARNING {SAID}" in Path("made/train.log").read_text()
    assert json.loads(Path("made/result.json").read_text())["warnings"] == [SAID]


def test_a_warning_is_part_of_a_dry_run(config_dir: Path) -> None:
    console = Console(file=io.StringIO(), width=200)
    found = dry_run(load_run_config(_words(), config_dir))
    show_dry_run(found, console)
    assert isinstance(console.file, io.StringIO)
    assert SAID in console.file.getvalue()
    assert found.as_json()["warnings"] == [SAID]


def test_a_comparison_notes_a_warning_once(config_dir: Path) -> None:
    request = read_request(["rnn", "gru", *_words()[1:]], seeds=1)
    plan, configs = parse_plan(request, config_dir)
    assert resolve_plan(plan, request, configs, config_dir).notes.count(SAID) == 1
