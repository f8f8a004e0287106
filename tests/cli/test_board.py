"""`seqlab board`: a real TensorBoard that serves a real run, and ends quietly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from tests.browser import Browser, needs_chromium
from tests.commands import Capture, Patch, in_process
from tests.conftest import tiny_overrides


def test_no_folder_no_board(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = in_process(capsys, monkeypatch, "board")
    assert (code, out) == (2, "")
    assert "runs is not a folder" in err


@pytest.mark.slow
@needs_chromium
def test_a_board_shows_the_runs_until_ctrl_c(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    """Each tab, in a browser, of a run that was trained and then inspected."""
    monkeypatch.chdir(tmp_path)
    words = tiny_overrides("lstm", "char_lm", "device=cpu", "trainer.log_pictures=true")
    for command in (["train", *words, "--name", "a"], ["inspect", "runs/char_lm/lstm/a", "states", "embedding"]):
        code, _, err = in_process(capsys, monkeypatch, *command)
        assert code == 0, err
    command = [sys.executable, "-m", "seqlab", "board"]
    # a shell that starts tests in the background makes them, and whatever they start, deaf to Ctrl-C
    hearing = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hearing
    ) as board:
        try:
            assert board.stdout is not None
            address = board.stdout.readline().split()[0]
            assert address.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(f"{address}data/plugins_listing", timeout=30) as answer:
                plugins = json.load(answer)
            assert {"scalars", "hparams", "text", "images", "histograms", "projector"} <= plugins.keys()
            with Browser(tmp_path) as browser:
                browser.open(f"{address}#timeseries")
                shown = browser.wait_for("train /loss", "val /bits_per_character", "char_lm/lstm/a")
                assert shown.index("train /loss") < shown.index("val /bits_per_character")  # before all other cards
                browser.open(f"{address}#images")
                browser.wait_for(
                    "viz/states", "viz/embedding-embed", "char_lm/lstm/a/inspect/states-embedding/pictures"
                )
                browser.wait_for_images(2)
                browser.open(f"{address}#text")
                browser.wait_for("config", "sample", "learning_rate")
                browser.open(f"{address}#hparams")
                browser.wait_for("Hyperparameters", "model.width", "val_best/bits_per_character")
                browser.open(f"{address}#projector")
                browser.wait_for("lstm embed", "Dimension: 16")
            board.send_signal(signal.SIGINT)
            _, said = board.communicate(timeout=30)
        finally:
            board.kill()
    assert board.returncode == 0, said
    assert "Traceback" not in said
