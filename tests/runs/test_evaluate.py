"""`seqlab evaluate`: the figures of the result, and the items behind them."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from seqlab.cli.evaluation import drawn
from seqlab.core.meter import Table
from tests.commands import Capture, Patch, in_process
from tests.conftest import TASKS


@pytest.fixture
def here(trained_runs: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(trained_runs)


def _items(said: dict[str, Any]) -> list[dict[str, Any]]:
    lines = Path(said["items"]).read_text(encoding="utf-8").splitlines()
    assert len(lines) == said["item_count"]
    return [json.loads(line) for line in lines]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("task", TASKS)
def test_evaluate_reproduces_the_result(task: str, capsys: Capture, monkeypatch: Patch) -> None:
    code, out, err = in_process(capsys, monkeypatch, "evaluate", f"best:{task}", "--json")
    assert (code, err) == (0, "")
    said = json.loads(out)
    result = json.loads(Path(f"runs/{task}/gru/a/result.json").read_text())
    assert said["values"] == result["test"]
    assert said["interval"] == result["test_interval"]
    assert said["details"] == result["details"]
    assert said["step"] == result["best_step"]
    _, out, _ = in_process(capsys, monkeypatch, "evaluate", f"best:{task}", "--split", "validation", "--json")
    assert json.loads(out)["values"] == result["validation"]


@pytest.mark.usefixtures("here")
def test_items_of_a_language_model_are_its_text(capsys: Capture, monkeypatch: Patch) -> None:
    said = json.loads(in_process(capsys, monkeypatch, "evaluate", "best:char_lm", "--json")[1])
    items = _items(said)
    assert sum(item["characters"] for item in items) == sum(len(item["text"]) for item in items)
    bits = sum(item["nats"] for item in items) / sum(item["characters"] for item in items) / math.log(2)
    assert bits == pytest.approx(said["values"]["bits_per_character"])
    from seqlab.data.corpora import find

    text = "".join(item["text"] for item in items)
    known = text.split("\ufffd")
    assert sum(map(len, known)) > 0.99 * len(text)
    docs = find("python_docs").content("char_lm")["train"]
    assert all(part in docs for part in known)


@pytest.mark.usefixtures("here")
def test_items_of_a_classifier_make_its_confusion(capsys: Capture, monkeypatch: Patch) -> None:
    said = json.loads(in_process(capsys, monkeypatch, "evaluate", "best:sentiment", "--json")[1])
    items = _items(said)
    assert [item["item"] for item in items] == list(range(len(items)))
    for truth, row in said["details"]["confusion"].items():
        for label, count in row.items():
            assert count == sum((item["target"], item["prediction"]) == (truth, label) for item in items)
    for item in items:
        assert sum(item["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert item["prediction"] == max(item["probabilities"], key=item["probabilities"].get)
        assert item["nats"] == pytest.approx(-math.log(item["probabilities"][item["target"]]), rel=1e-4)
    _, out, _ = in_process(capsys, monkeypatch, "evaluate", "best:sentiment")
    assert "confusion" in out
    # what it was wrong about and surest of stands first
    wrong = [item for item in items if not item["right"]]
    surest = max(wrong, key=lambda item: item["probabilities"][item["prediction"]])
    assert out.index(surest["text"][:12]) > out.index("most confident mistakes")


@pytest.mark.usefixtures("here")
def test_items_of_a_translator_contain_their_text(capsys: Capture, monkeypatch: Patch) -> None:
    said = json.loads(in_process(capsys, monkeypatch, "evaluate", "best:translation", "--json")[1])
    items = _items(said)
    assert sum(item["right"] for item in items) / len(items) == said["values"]["exact_match"]
    assert all(item["source_length"] == len(item["source"]) for item in items)
    assert sum(group["pairs"] for group in said["details"]["by_source_length"]) == len(items)
    _, out, _ = in_process(capsys, monkeypatch, "evaluate", "best:translation")
    assert "by length of the source" in out


def test_labels_of_a_corpus_are_no_markup(capsys: Capture) -> None:
    table = Table("[/bold] \x1b[31m", ("", "said [/pos]", "said [red]"), (("is [/pos]", 1, 2),))
    Console(width=100).print(drawn(table))
    out = capsys.readouterr().out
    assert "said [/pos]" in out
    assert "said [red]" in out
    assert "[/bold]" in out
    assert "\x1b" not in out


@pytest.mark.usefixtures("here")
def test_evaluation_errors_have_at_most_three_lines(capsys: Capture, monkeypatch: Patch) -> None:
    for words, code in (
        (("evaluate", "nowhere"), 4),
        (("evaluate", "best:char_lm", "--split", "train"), 2),
        (("evaluate",), 2),
        (("evaluate", "best:chess"), 4),
    ):
        found, out, err = in_process(capsys, monkeypatch, *words)
        assert (found, out) == (code, "")
        assert 1 <= len(err.splitlines()) <= 3
        assert err.startswith("error:")


def test_an_unwritable_run_is_reported_before_evaluating(
    trained_runs: Path, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    copy = shutil.copytree(trained_runs / "runs/sentiment/gru/a", tmp_path / "run")
    shutil.rmtree(copy / "evaluation", ignore_errors=True)
    (copy / "evaluation").touch()  # where the folder should be
    found, out, err = in_process(capsys, monkeypatch, "evaluate", str(copy))
    assert (found, out) == (6, "")
    assert err.startswith(f"error: cannot write into {copy / 'evaluation'}")
    assert "copy the run to where you may write" in err
