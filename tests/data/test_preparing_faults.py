"""Preparing a text that changes, in a folder that is full or in use."""

from __future__ import annotations

import errno
import os
import resource
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from seqlab.config.run import load_run_config
from seqlab.data import preparing
from seqlab.data.preparing import prepare
from seqlab.errors import DataError, ResourceError
from seqlab.runs.lock import locked
from tests.commands import in_process
from tests.data.test_preparing import TEXT, by_tokens


def _touched(path: Path, content: bytes) -> None:
    """Another content of the same size."""
    at = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(at, at + 10**9))


def test_a_text_that_changes_is_prepared_as_it_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, folder, fresh = tmp_path / "text.txt", tmp_path / "prepared", tmp_path / "fresh"
    old, new = TEXT.encode() * 3, TEXT.replace("more", "less").encode() * 3
    source.write_bytes(old)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(preparing, "_assembled", full)
        with pytest.raises(ResourceError, match=f"cannot write into {folder}: No space left on device"):
            prepare(str(source), folder, by_tokens("bpe"), piece=2000)
    _touched(source, new)
    told: list[str] = []
    assemble = preparing._assembled

    def changing(*given: Any) -> dict[str, Any]:
        _touched(source, old)
        return assemble(*given)

    with monkeypatch.context() as patch:
        patch.setattr(preparing, "_assembled", changing)
        with pytest.raises(DataError, match="has changed while it was prepared"):
            prepare(str(source), folder, by_tokens("bpe"), piece=2000, tell=told.append)
    assert "the text has changed: starting anew" in told
    _touched(source, new)
    prepare(str(source), folder, by_tokens("bpe"), piece=2000)
    prepare(str(source), fresh, by_tokens("bpe"), piece=2000)
    for path in fresh.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_kill_at_the_very_end_leaves_nothing_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, folder = tmp_path / "text.txt", tmp_path / "prepared"
    source.write_bytes(TEXT.encode())

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(str(source), folder, by_tokens())
    assert (folder / "parts").exists()
    assert prepare(str(source), folder, by_tokens()).condition() == "ok"
    assert {path.name for path in folder.iterdir()} == {
        "prepared.json", "train.ids", "validation.ids", "test.ids", "vocabulary.json",
    }  # fmt: skip


def test_the_command_works_in_a_folder_alone_and_prints_what_a_shell_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder = tmp_path / "my text (1).txt", tmp_path / "my folder"
    source.write_bytes(TEXT.encode())
    command = ("data", "prepare", str(source), "--out", str(folder), "--processes", "1")
    with locked(folder):
        code, _, error = in_process(capsys, monkeypatch, *command)
    assert (code, "is locked by process" in error) == (7, True)
    (tmp_path / "file").touch()
    code, _, error = in_process(capsys, monkeypatch, *command[:4], str(tmp_path / "file"))
    assert (code, "--out FOLDER" in error) == (6, True)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        code, _, error = in_process(capsys, monkeypatch, *command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, f"cannot write into {folder}: File too large" in error) == (6, True)
    code, said, _ = in_process(capsys, monkeypatch, *command)
    assert code == 0
    overrides = shlex.split(said.splitlines()[-1].partition("seqlab train ")[2])
    assert load_run_config(overrides).task.build().ids["train"][:4].tolist()  # type: ignore[attr-defined]
