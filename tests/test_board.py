"""`seqlab board`: a real TensorBoard that serves a real run, and ends quietly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.test_cli import Capture, Patch, in_process, run


def test_no_folder_no_board(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = in_process(capsys, monkeypatch, "board")
    assert (code, out) == (2, "")
    assert "runs is no folder" in err


@pytest.mark.slow
def test_a_board_serves_the_runs_until_ctrl_c(tmp_path: Path) -> None:
    from tests.conftest import tiny_overrides

    done = run("train", *tiny_overrides("rnn", "char_lm", "device=cpu"), "--name", "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-m", "seqlab", "board"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as board:
        try:
            assert board.stdout is not None
            address = board.stdout.readline().split()[0]
            assert address.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(f"{address}data/plugins_listing", timeout=30) as answer:
                plugins = json.load(answer)
            assert {"scalars", "hparams", "text"} <= plugins.keys()
            board.send_signal(signal.SIGINT)
            _, said = board.communicate(timeout=30)
        finally:
            board.kill()
    assert board.returncode == 0, said
    assert "Traceback" not in said
