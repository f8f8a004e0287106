"""`seqlab predict`: which run, what it says, line by line, and what it was never taught."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import pytest

from seqlab.errors import CheckpointError
from seqlab.runs import named_run
from tests.test_cli import Capture, Patch, in_process
from tests.test_runs import _run


@pytest.fixture
def here(trained_runs: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(trained_runs)


@pytest.mark.usefixtures("here")
def test_a_language_model_goes_on_with_its_prompt(capsys: Capture, monkeypatch: Patch) -> None:
    words = ("predict", "best:char_lm", "The ", "--length", "30")
    code, out, err = in_process(capsys, monkeypatch, *words)
    assert (code, err) == (0, "run: runs/char_lm/gru/a\n")
    assert out.startswith("The ")
    assert len(out) == len("The ") + 30 + 1
    assert in_process(capsys, monkeypatch, *words)[1] == out
    assert in_process(capsys, monkeypatch, *words, "--seed", "1")[1] != out
    _, plain, _ = in_process(capsys, monkeypatch, *words, "--json")
    assert json.loads(plain) == {"text": "The ", "continuation": out[4:-1], "unknown": []}
    likeliest = [in_process(capsys, monkeypatch, *words, "--top-k", "1", "--seed", seed)[1] for seed in "01"]
    assert likeliest[0] == likeliest[1]


@pytest.mark.usefixtures("here")
def test_a_classifier_names_its_label(capsys: Capture, monkeypatch: Patch) -> None:
    code, out, err = in_process(capsys, monkeypatch, "predict", "best:sentiment", "a fine film", "qqzzq \u00df\u00df")
    assert code == 0
    assert len(out.splitlines()) == 2
    assert "negative" in out
    assert "%" in out
    assert "not known from training: 'qqzzq'" in err
    _, out, _ = in_process(capsys, monkeypatch, "predict", "best:sentiment", "qqzzq", "--json")
    said = json.loads(out)
    assert sum(said["probabilities"].values()) == pytest.approx(1.0)
    assert said["label"] == max(said["probabilities"], key=lambda label: said["probabilities"][label])
    assert said["unknown"] == ["qqzzq"]


@pytest.mark.usefixtures("here")
def test_a_translator_searches_with_beams(capsys: Capture, monkeypatch: Patch) -> None:
    words = ("predict", "best:translation", "two days", "", "--json")
    code, out, _ = in_process(capsys, monkeypatch, *words)
    assert code == 0
    one = [json.loads(line)["translation"] for line in out.splitlines()]
    _, out, _ = in_process(capsys, monkeypatch, *words, "--beam", "1", "--length-penalty", "1")
    assert [json.loads(line)["translation"] for line in out.splitlines()] == one
    code, out, _ = in_process(capsys, monkeypatch, *words, "--beam", "4", "--length-penalty", "0.6")
    assert (code, len(out.splitlines())) == (0, 2)
    code, _, err = in_process(capsys, monkeypatch, *words, "--beam", "0")
    assert code == 2
    assert "beam" in err


@pytest.mark.usefixtures("here")
def test_lines_are_read_where_no_text_is_given(capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a fine film\n\na bad film"))
    code, out, err = in_process(capsys, monkeypatch, "predict", "runs/sentiment/gru/a", "--json")
    assert (code, err) == (0, "")
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["a fine film", "a bad film"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("best:char_lm", ""), 3, "nothing to continue"),
        (("best:char_lm", "a", "--temperature", "0"), 2, "temperature of 0"),
        (("best:char_lm", "a", "--top-p", "2"), 2, "top-p of 2"),
        (("best:chess", "a"), 4, "tasks: char_lm, sentiment, translation"),
        (("nowhere", "a"), 4, "nowhere"),
    ],
)
def test_what_cannot_be_asked_is_said(
    words: tuple[str, ...], code: int, said: str, capsys: Capture, monkeypatch: Patch
) -> None:
    got, out, err = in_process(capsys, monkeypatch, "predict", *words)
    assert (got, out) == (code, "")
    assert said in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 3


def test_last_and_best_are_what_they_say(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    runs_dir = tmp_path / "runs"
    with pytest.raises(CheckpointError, match="there is no run"):
        named_run("last", runs_dir)
    better, worse = _run(tmp_path, "b", value=1.9), _run(tmp_path, "a", value=2.2)
    stopped = _run(tmp_path, "c", value=None)
    for age, folder in enumerate((stopped, worse, better)):
        for path in folder.iterdir():
            os.utime(path, (time.time() - 100 * (3 - age),) * 2)
    assert named_run("last", runs_dir) == better
    os.utime(stopped / "config.yaml")
    assert named_run("last", runs_dir) == stopped
    assert named_run("best:char_lm", runs_dir) == better
    assert named_run(str(worse), runs_dir) == worse
    for name, hint in (
        ("last:char_lm", "did you mean last?"),
        ("lats", "did you mean last?"),
        ("best:", "did you mean best:TASK?"),
        ("bset:char_lm", "did you mean best:char_lm?"),
        ("x" * 300, "give one such as"),
    ):
        with pytest.raises(CheckpointError) as error:
            named_run(name, runs_dir)
        assert hint in error.value.hint
    (tmp_path / "lats").mkdir()  # what is there is no typing error
    with pytest.raises(CheckpointError) as error:
        named_run("lats", runs_dir)
    assert "give one such as" in error.value.hint
