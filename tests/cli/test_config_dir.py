"""SEQLAB_CONFIG_DIR stands for --config-dir in every command; what is printed works with it and without."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from seqlab.config.sources import VARIABLE, shipped_folder
from tests.commands import Capture, Patch, in_process, run
from tests.conftest import MODELS, TASKS, tiny_overrides

TINY = [word for word in tiny_overrides("rnn", TASKS[0]) if not word.startswith("model")] + ["device=cpu"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: Patch) -> Path:
    """A folder with a model and a task of a user's own, named by the variable, beside the current folder."""
    for group, like in (("model", MODELS[0]), ("task", TASKS[0])):
        (tmp_path / "own" / group).mkdir(parents=True)
        shutil.copy(shipped_folder() / group / f"{like}.yaml", tmp_path / "own" / group / "mine.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "own")
    return tmp_path / "own"


@pytest.mark.usefixtures("folder")
def test_every_command_that_takes_the_option_takes_the_variable(capsys: Capture, monkeypatch: Patch) -> None:
    small = ["model.width=8", *[word for word in TINY if not word.startswith("task=")]]
    words = ["model=mine", "task=mine", *small]
    code, out, err = in_process(capsys, monkeypatch, "train", *words, "--name", "a")
    assert code == 0, err
    printed = [line.partition(":")[2].strip() for line in out.splitlines() if line.startswith(("see", "try"))]
    assert len(printed) == 3
    assert json.loads(in_process(capsys, monkeypatch, "list", "--json")[1])["models"].keys() == {*MODELS, "mine"}
    for command in (["check", *words], ["evaluate", "last"], ["resume", "last", "--verify"]):
        code, _, err = in_process(capsys, monkeypatch, *command)
        assert code == 0, err
    code, _, err = in_process(capsys, monkeypatch, "compare", "mine", "rnn", *words[1:], "--seeds", "1")
    assert code == 0, err
    monkeypatch.delenv(VARIABLE)
    for command in (shlex.split(line)[1:] for line in printed if "board" not in line):
        code, _, err = in_process(capsys, monkeypatch, *command)
        assert code == 0, err


def test_the_option_overrides_the_variable(folder: Path, capsys: Capture, monkeypatch: Patch) -> None:
    (folder.parent / "empty").mkdir()
    code, out, _ = in_process(capsys, monkeypatch, "list", "models", "--json", "--config-dir", "empty")
    assert json.loads(out)["models"].keys() == set(MODELS)
    monkeypatch.setenv(VARIABLE, "nowhere")
    code, out, _ = in_process(capsys, monkeypatch, "list", "models", "--json", "--config-dir", "own")
    assert (code, json.loads(out)["models"].keys()) == (0, {*MODELS, "mine"})


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", [["train"], ["list"], ["config"], ["compare", "rnn", "gru"], ["predict", "last"]])
def test_the_error_of_a_missing_folder_names_the_variable(
    command: list[str], capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.setenv(VARIABLE, "nowhere")
    code, out, err = in_process(capsys, monkeypatch, *command)
    assert (code, out) == (2, "")
    assert f"{VARIABLE}=nowhere is not a folder" in err
    assert f"unset {VARIABLE}" in err
    assert "--config-dir" not in err
    monkeypatch.setenv(VARIABLE, "")  # as if it were not set
    assert in_process(capsys, monkeypatch, "list", "models")[0] == 0


def test_it_is_shown_where_settings_and_options_are(folder: Path, capsys: Capture, monkeypatch: Patch) -> None:
    import yaml

    _, out, _ = in_process(capsys, monkeypatch, "config", "model=mine")
    assert out.startswith(f"# {VARIABLE}: own\n")
    assert yaml.safe_load(out)["names"]["model"] == "mine"
    assert in_process(capsys, monkeypatch, "config", "--config-dir", "own")[1].startswith("# --config-dir: own\n")
    assert VARIABLE in run("train", "--help", cwd=folder.parent, COLUMNS="120").stdout
    monkeypatch.delenv(VARIABLE)
    assert not in_process(capsys, monkeypatch, "config")[1].startswith("#")


@pytest.mark.usefixtures("folder")
def test_completion_reads_the_users_folder(capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.setenv("_SEQLAB_COMPLETE", "complete_zsh")
    for line, there in (("train model=mi", "model=mine"), ("compare mi", "mine"), ("predict best:mi", "best:mine")):
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"seqlab {line}")
        _, out, err = in_process(capsys, monkeypatch)
        assert there in out.replace("\\", ""), (out, err)
