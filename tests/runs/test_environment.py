"""The environment that a run records."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

import seqlab.runs.environment as module
from seqlab.runs.environment import environment, git_commit


def _git(where: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    command = ["git", "-C", str(where), *identity, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_of_a_checkout_is_recorded_with_a_mark_for_changes(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None
    _git(tmp_path, "init")
    (tmp_path / "file").write_text("one")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-m", "first")
    commit = _git(tmp_path, "rev-parse", "HEAD")
    assert git_commit(tmp_path) == commit
    (tmp_path / "file").write_text("two")
    assert git_commit(tmp_path) == f"{commit}-dirty"


def test_the_checkout_is_what_holds_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(module, "git_commit", asked.append)
    environment("")
    assert [where / "seqlab" for where in asked] == [Path(str(files("seqlab")))]
