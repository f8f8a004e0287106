"""`seqlab runs rm`: what is removed, what is shown first, and what is never removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seqlab.runs.lock import locked
from tests.commands import Capture, Patch, in_process
from tests.runs.test_catalogue import _run


@pytest.fixture
def root(tmp_path: Path, monkeypatch: Patch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def _terminal(answer: str) -> Iterator[int]:
    """A terminal in which this was typed."""
    keyboard, terminal = os.openpty()
    try:
        os.write(keyboard, answer.encode())
        yield terminal
    finally:
        os.close(keyboard)
        os.close(terminal)


def _asked(answer: str, *words: str) -> subprocess.CompletedProcess[str]:
    with _terminal(answer) as terminal:
        return subprocess.run(
            [sys.executable, "-m", "seqlab", "runs", "rm", *words], stdin=terminal, capture_output=True, text=True
        )


def _removed(capsys: Capture, monkeypatch: Patch, *words: str) -> tuple[int, str, str]:
    return in_process(capsys, monkeypatch, "runs", "rm", *words, "--yes")


@pytest.mark.parametrize(("answer", "there"), [("y\n", False), ("n\n", True), ("\n", True)])
def test_it_shows_what_would_be_removed_and_asks(root: Path, answer: str, there: bool) -> None:
    folder, other = _run(root, "a"), _run(root, "b")
    done = _asked(answer, "rnn/a")
    assert done.returncode == 0, done.stderr
    assert "runs/char_lm/rnn/a  " in done.stderr
    assert "rnn on char_lm, seed 0: 2.0000 bits/char" in done.stderr
    assert "remove this run" in done.stderr
    assert done.stdout == ("nothing was removed\n" if there else "removed runs/char_lm/rnn/a\n")
    assert folder.exists() == there
    assert other.exists()


def test_last_is_shown_as_a_folder_and_never_removed_without_asking(
    root: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    a, b = _run(root, "a"), _run(root, "b", value=1.0)
    os.utime(a / "result.json", (2**31,) * 2)
    for name, folder in (("last", "runs/char_lm/rnn/a"), ("best:char_lm", "runs/char_lm/rnn/b")):
        code, _, err = _removed(capsys, monkeypatch, name)
        assert code == 2
        assert f"name the run: {folder}\n" in err
    done = _asked("y\n", "last")
    assert "runs/char_lm/rnn/a  " in done.stderr
    assert (a.exists(), b.exists()) == (False, True)


def test_without_a_terminal_it_requires_yes(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    folders = [_run(root, name, value=value) for name, value in (("a", 2.0), ("stopped", None))]
    code, out, err = in_process(capsys, monkeypatch, "runs", "rm", "a", "stopped")
    assert (code, out) == (2, "")
    assert "add --yes" in err
    assert "stopped" in err
    assert all(folder.exists() for folder in folders)
    # one run by two of its names is one run
    code, out, _ = _removed(capsys, monkeypatch, "a", "stopped", str(folders[0].resolve()), "--json")
    assert code == 0
    found = json.loads(out)["removed"]
    assert [Path(run["folder"]).name for run in found] == ["a", "stopped"]
    assert found[0]["bytes"] > 0
    assert list((root / "runs" / "char_lm" / "rnn").iterdir()) == []


def test_a_running_run_stays_and_so_do_those_named_with_it(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    a, b = _run(root, "a"), _run(root, "b")
    with locked(b):
        code, _, err = _removed(capsys, monkeypatch, "a", "b")
    assert code == 7
    assert "runs/char_lm/rnn/b is locked" in err
    assert a.exists()
    assert b.exists()


def test_folders_that_are_not_runs_are_never_removed(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    run, outside = _run(root, "a"), root / "thesis"
    outside.mkdir()
    (outside / "config.yaml").write_text("title: my thesis\n")  # many a project has one
    linking = _run(root, "linking")
    (linking / "data").symlink_to(outside)
    (root / "link").symlink_to(run)
    _run(root, "outer")
    inner = root / "runs/char_lm/rnn/outer/inner"
    inner.mkdir()
    (inner / "config.yaml").touch()
    project = _run(root, "project")
    (project / "overrides.txt").unlink()
    for name, part in (
        ("thesis", "that names no model and task"),
        ("linking", "is a link or not a plain file"),
        ("link", "is a link"),
        ("outer", "holds other runs"),
        ("project", "it has no overrides.txt"),
        ("runs", "is not the folder of a run"),
        ("runs/char_lm", "is not the folder of a run"),
        (".", "is not the folder of a run"),
        ("linkin", "did you mean linking?"),
    ):
        code, out, err = _removed(capsys, monkeypatch, "a", name)
        assert (code, out) == (4, ""), name
        assert part in err
    monkeypatch.chdir(run)
    code, _, err = _removed(capsys, monkeypatch, ".")
    assert code == 2
    assert "is the current folder" in err
    for path in (run, linking, inner, project, outside / "config.yaml"):
        assert path.exists()


def _plan(folder: Path, existing: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps({"variants": [{"existing": {}}, {"existing": existing}]}))


def test_references_to_a_run_are_shown_first(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    _run(root, "a")
    for name, start, facts in (
        ("child", "runs/char_lm/rnn/a", {}),
        ("moved", "char_lm/rnn/a", {"folder": str(root / "runs")}),
        ("other", "runs/char_lm/rnn/b", {}),
    ):
        child = _run(root, name, facts=facts)
        with (child / "config.yaml").open("a") as file:
            file.write(f"init_from: {start}\n")
    compared = root / "runs" / "compare"
    _plan(compared / "rows", {"0": "runs/char_lm/rnn/a"})
    _plan(compared / "others", {"0": "runs/char_lm/rnn/b"})
    (compared / "damaged").mkdir()
    (compared / "damaged" / "plan.json").write_text("{")
    code, _, err = in_process(capsys, monkeypatch, "runs", "rm", "a")
    assert code == 2
    said = [line.strip() for line in err.splitlines() if line.startswith("  ")]
    assert said == [
        "the comparison runs/compare/rows has it as a row: if repeated, it would not find it",
        "runs/char_lm/rnn/child was started from its weights: it keeps its own",
        "runs/char_lm/rnn/moved was started from its weights: it keeps its own",
    ]
    with locked(compared / "rows"):  # which reads it at its end
        assert _removed(capsys, monkeypatch, "a")[0] == 7
    assert _removed(capsys, monkeypatch, "a")[0] == 0


def test_a_run_of_a_running_comparison_is_not_removed(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    compared = root / "runs" / "compare" / "c"
    (_run(root, "made")).rename(_parent(compared / "rnn" / "seed-0"))
    (_run(root, "tried")).rename(_parent(compared / "tune" / "rnn" / "learning_rate=0.1"))
    _plan(compared, {})
    _, _, err = in_process(capsys, monkeypatch, "runs", "rm", "seed-0", "learning_rate=0.1")
    assert err.count("it belongs to the comparison runs/compare/c: ") == 2
    assert "a run that the same command makes again" in err
    assert "a trial of its search" in err
    with locked(compared):
        assert _removed(capsys, monkeypatch, "seed-0")[0] == 7
    assert (compared / "rnn" / "seed-0").exists()
    assert _removed(capsys, monkeypatch, "seed-0")[0] == 0
    assert not (compared / "rnn" / "seed-0").exists()


def _parent(folder: Path) -> Path:
    folder.parent.mkdir(parents=True)
    return folder
