"""Tags and notes of runs: adding, finding, showing, removing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from seqlab.runs.catalogue import named_run
from seqlab.runs.lock import locked
from tests.cli.test_cli import TINY
from tests.commands import Capture, Patch, in_process
from tests.runs.test_catalogue import _run


@pytest.fixture
def root(tmp_path: Path, monkeypatch: Patch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_tagged_run_is_found_again(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    a, b = _run(root, "a"), _run(root, "b", value=1.0)
    _run(root, "c", task="sentiment")
    os.utime(b / "result.json", (2**31,) * 2)
    _, out, _ = in_process(capsys, monkeypatch, "runs")
    assert "tags" not in out
    for name, words in (("a", ("paper", "größer")), ("b", ("paper",))):
        code, out, _ = in_process(capsys, monkeypatch, "runs", "tag", name, *words)
        assert (code, out) == (0, f"runs/char_lm/rnn/{name}: {', '.join(words)}\n")
    in_process(capsys, monkeypatch, "runs", "tag", "a", "paper", "deep", "--remove", "größer")
    assert json.loads((a / "labels.json").read_text()) == {"tags": ["paper", "deep"], "note": ""}
    _, out, _ = in_process(capsys, monkeypatch, "runs", "tag", "a", "--json")
    assert json.loads(out) == {"folder": "runs/char_lm/rnn/a", "tags": ["paper", "deep"], "note": ""}
    for tag, names in (("paper", ["b", "a"]), ("deep", ["a"])):
        _, out, _ = in_process(capsys, monkeypatch, "runs", "--tag", tag, "--json")
        assert [(Path(run["folder"]).name, tag in run["tags"]) for run in json.loads(out)] == [(n, True) for n in names]
    _, out, _ = in_process(capsys, monkeypatch, "runs", "--task", "char_lm")
    assert [line.split()[-2:] for line in out.splitlines() if "paper" in line] == [
        ["runs/char_lm/rnn/b", "paper"],
        ["paper,", "deep"],
    ]
    assert named_run("last") == Path("runs/char_lm/rnn/b")  # a tag makes no run newer
    in_process(capsys, monkeypatch, "runs", "tag", "a", "--remove", "paper", "--remove", "deep")
    assert not (a / "labels.json").exists()


def test_a_note_is_written_shown_and_deleted(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    _run(root, "a")
    in_process(capsys, monkeypatch, "runs", "tag", "a", "odd")
    code, _, err = in_process(capsys, monkeypatch, "runs", "note", "a")
    assert (code, err) == (0, "runs/char_lm/rnn/a has no note\n")
    in_process(capsys, monkeypatch, "runs", "note", "a", "rate", "too high,", "see [bold]clip_norm\nof b")
    assert in_process(capsys, monkeypatch, "runs", "note", "a")[1] == "rate too high, see [bold]clip_norm\nof b\n"
    _, out, _ = in_process(capsys, monkeypatch, "runs", "show", "a")
    assert "tags: odd" in out
    assert "see [bold]clip_norm" in out
    for words in (["runs"], ["runs", "show", "a"]):
        found = json.loads(in_process(capsys, monkeypatch, *words, "--json")[1])
        found = found[0] if isinstance(found, list) else found
        assert (found["tags"], found["note"]) == (["odd"], "rate too high, see [bold]clip_norm\nof b")
    in_process(capsys, monkeypatch, "runs", "note", "a", "--remove")
    assert json.loads((root / "runs/char_lm/rnn/a/labels.json").read_text()) == {"tags": ["odd"], "note": ""}


@pytest.mark.parametrize(
    ("words", "part", "code"),
    [
        (["tag", "a", "x,y"], "several tags: x y", 2),
        (["tag", "a", "x y"], "several tags: x y", 2),
        (["tag", "a", ""], "is no tag", 2),
        (["tag", "a", "x\x1b[2J"], "x\\x1b[2J", 2),
        (["tag", "a", "x" * 41], "it has 41 characters", 2),
        (["tag", "a", "new", "--remove", "ood"], "did you mean odd?", 2),
        (["tag", "a", "odd", "--remove", "odd"], "leave out one of the two", 2),
        (["tag", "odd", "a"], "is not the folder of a run", 4),
        (["note", "a", " "], "the note is empty", 2),
        (["note", "a", "x\x07"], "control characters", 2),
        (["note", "a", "x" * 10_001], "10,001 characters", 2),
        (["note", "a", "x", "--remove"], "drop one of them", 2),
        (["--tag", "ood"], "did you mean odd?", 2),
        (["--tag", "other"], "tags: odd", 2),
        (["--runs-dir", "x", "show", "a"], "--runs-dir before show", 2),
    ],
)
def test_an_invalid_tag_or_note_changes_nothing(
    root: Path, capsys: Capture, monkeypatch: Patch, words: list[str], part: str, code: int
) -> None:
    folder = _run(root, "a")
    in_process(capsys, monkeypatch, "runs", "tag", "a", "odd")
    before = (folder / "labels.json").read_bytes()
    found, out, err = in_process(capsys, monkeypatch, "runs", *words)
    assert (found, out) == (code, "")
    assert part in err
    assert len(err.strip().splitlines()) <= 3
    assert "\x1b" not in err
    assert (folder / "labels.json").read_bytes() == before


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"tags": "odd", "note": ""}', '{"tags": [], "note": 3}', '{"tags": [["x"]], "note": ""}']
)
def test_a_damaged_file_hides_no_run_and_is_not_overwritten(
    root: Path, capsys: Capture, monkeypatch: Patch, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = _run(root, "a")
    (folder / "labels.json").write_text(content)
    code, out, _ = in_process(capsys, monkeypatch, "runs")
    assert code == 0
    assert "runs/char_lm/rnn/a" in out
    assert "labels.json cannot be read" in caplog.text
    code, _, err = in_process(capsys, monkeypatch, "runs", "tag", "a", "x")
    assert code == 4
    assert "labels.json cannot be read" in err
    assert (folder / "labels.json").read_text() == content


def test_labels_are_given_while_a_run_is_trained_and_survive_its_resumption(
    root: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    assert in_process(capsys, monkeypatch, "train", *TINY, "--name", "a", "-q")[0] == 0
    folder = root / "runs" / "char_lm" / "rnn" / "a"
    with locked(folder):
        in_process(capsys, monkeypatch, "runs", "tag", "a", "kept")
        in_process(capsys, monkeypatch, "runs", "note", "a", "as well")
    assert in_process(capsys, monkeypatch, "resume", "a", "trainer.max_steps=6", "-q")[0] == 0
    assert json.loads((folder / "labels.json").read_text()) == {"tags": ["kept"], "note": "as well"}
    assert in_process(capsys, monkeypatch, "resume", "a", "--verify")[0] == 0
