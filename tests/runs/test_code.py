"""A user's own code is part of a run: kept in it, and whatever uses the run notices that it has changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import seqlab
from seqlab import load
from seqlab.config.run import load_run_config
from seqlab.config.user_code import code_files
from seqlab.errors import CheckpointError, ConfigError
from seqlab.runs.code import check_code, keep_code
from seqlab.runs.train import train
from tests.commands import Capture, Patch, in_process
from tests.conftest import tiny_config, tiny_overrides

MODEL = """
import torch
from pydantic.dataclasses import dataclass
from torch import nn

from seqlab.core.model import ModelConfig, SequenceModel
from seqlab.layers.roles import fill_role


@dataclass(frozen=True, kw_only=True)
class SumConfig(ModelConfig):
    def build(self, role):
        return fill_role(lambda: Sum(self), role, self.width)


class Sum(SequenceModel):
    def __init__(self, config):
        super().__init__()
        self.mix = nn.Linear(config.width, config.width)

    def initial_state(self, rows, *, capacity=0):
        return self.mix.weight.new_zeros(rows, self.mix.in_features)

    def forward(self, x_BTD, state, *, valid_BT=None, memory=None):
        from parts.scaling import scaled

        sums = state[:, None] + x_BTD.cumsum(1)
        return self.mix(scaled(sums)).tanh(), sums[:, -1]
"""
YAML = """# @package _global_
# A running sum
model:
  _target_: own_sum.SumConfig
  width: 16
  dropout: 0.0
  tie_embeddings: true
"""
CODE = {
    "own_sum.py": MODEL,
    "parts/__init__.py": "import json\n",
    "parts/scaling.py": "from . import numbers_\n\n\ndef scaled(x):\n    return x * numbers_.FACTOR\n",
    "parts/numbers_.py": "FACTOR = 0.1\n",
}
WORDS = [word for word in tiny_overrides("rnn", "char_lm") if not word.startswith("model")]


def write_code(root: Path) -> Path:
    """The code beside configs/, with a file that nothing imports. Returns configs/."""
    for place, text in {**CODE, "unused.py": "raise SystemExit\n", "configs/model/own_sum.yaml": YAML}.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text)
    return root / "configs"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(configs/, a run). Tests may change neither."""
    root = tmp_path_factory.mktemp("code")
    configs = write_code(root)
    config = load_run_config(["model=own_sum", *WORDS, f"runs_dir={root / 'runs'}"], configs)
    return configs, train(config, name="a").folder


@pytest.fixture
def here(made: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The same, to be changed."""
    configs, run = made
    shutil.copytree(configs.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "configs", tmp_path / run.relative_to(configs.parent)


def test_a_run_keeps_what_its_config_names_and_all_that_imports(made: tuple[Path, Path]) -> None:
    _, run = made
    copies = {path.relative_to(run / "code").as_posix(): path.read_text() for path in (run / "code").rglob("*.*")}
    assert copies == {**CODE, "model/own_sum.yaml": YAML}
    stored = json.loads((run / "environment.json").read_text())["code"]
    assert stored == {place: hashlib.sha256(text.encode()).hexdigest() for place, text in CODE.items()}


def test_shipped_code_is_not_user_code(tmp_path: Path) -> None:
    config = tiny_config("lstm", "char_lm")
    assert keep_code(config.tree, None, tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "evaluate": lambda run: ["evaluate", str(run)],
    "predict": lambda run: ["predict", str(run), "The "],
    "resume": lambda run: ["resume", str(run), "trainer.max_steps=6"],
    "verify": lambda run: ["resume", str(run), "--verify"],
    "compare": lambda run: ["compare", str(run), str(run.with_name("b"))],
    "inspect": lambda run: ["inspect", str(run), "states"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", ["own_sum.py", "parts/numbers_.py"])
def test_every_command_notices_changed_code(
    command: str, place: str, here: tuple[Path, Path], capsys: Capture, monkeypatch: Patch
) -> None:
    configs, run = here
    monkeypatch.chdir(run.parent)
    path = configs.parent / place
    path.write_text(path.read_text() + "\n# a word more\n")
    words = [*COMMANDS[command](run), "--config-dir", str(configs)]
    shutil.copytree(run, run.with_name("b"))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "train.log"}
    code, out, said = in_process(capsys, monkeypatch, *words)
    assert (code, out) == (4, "")
    assert f"{run} was made with other code: {place} has changed" in said
    assert f"--config-dir {run / 'code'}" in said
    now = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "train.log"}
    assert {path.name for path in now.keys() ^ before.keys()} <= {".lock"}
    assert all(now[path] == content for path, content in before.items() if path in now)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "compare"])
def test_every_command_works_with_the_runs_own_copy_of_the_code(
    command: str, here: tuple[Path, Path], capsys: Capture, monkeypatch: Patch
) -> None:
    configs, run = here
    monkeypatch.chdir(run.parent)
    for place in CODE:
        (configs.parent / place).write_text("raise SystemExit('not this one')\n")
    words = [*COMMANDS[command](run), "--config-dir", str(run / "code")]
    code, out, said = in_process(capsys, monkeypatch, *words)
    assert code == 0, said
    assert "not this one" not in out + said


def test_load_notices_changed_code_and_takes_the_copy(here: tuple[Path, Path]) -> None:
    configs, run = here

    def nats(config_dir: Path) -> float:
        loaded = load(run, config_dir=config_dir)
        network, batch = loaded.network, next(iter(loaded.task.batches("validation", 0)))
        return float(network(batch, network.initial_state(batch.size)).loss_sum.detach())

    before = nats(configs)
    (configs.parent / "parts" / "numbers_.py").write_text("FACTOR = 100.0\n")
    with pytest.raises(CheckpointError, match=r"parts/numbers_.py has changed"):
        nats(configs)
    assert nats(run / "code") == before


def test_missing_new_and_unnamed_code_is_reported(here: tuple[Path, Path]) -> None:
    configs, run = here
    with pytest.raises(ConfigError, match="outside seqlab") as error:
        check_code(run, None)
    assert str(run / "code") in error.value.hint
    scaling = configs.parent / "parts" / "scaling.py"
    scaling.write_text("import fresh\n\n\ndef scaled(x):\n    return x * fresh.FACTOR\n")
    (configs.parent / "fresh.py").write_text("FACTOR = 0.1\n")
    (configs.parent / "parts" / "numbers_.py").unlink()
    with pytest.raises(CheckpointError) as refused:
        check_code(run, configs)
    for what in ("parts/scaling.py has changed", "parts/numbers_.py is missing", "fresh.py is new"):
        assert what in refused.value.what


def test_without_environment_json_the_copies_define_the_runs_code(here: tuple[Path, Path]) -> None:
    configs, run = here
    (run / "environment.json").unlink()
    check_code(run, configs)
    (configs.parent / "own_sum.py").write_text(MODEL + "\n")
    with pytest.raises(CheckpointError, match=r"own_sum.py has changed"):
        check_code(run, configs)


def test_a_resumed_run_still_records_its_code(here: tuple[Path, Path], capsys: Capture, monkeypatch: Patch) -> None:
    configs, run = here
    stored = json.loads((run / "environment.json").read_text())["code"]
    for damage in (False, True):
        if damage:
            (run / "environment.json").write_text("{")
        words = ["resume", str(run), f"trainer.max_steps={7 if damage else 6}", "--config-dir", str(configs), "-q"]
        code, _, said = in_process(capsys, monkeypatch, *words)
        assert code == 0, said
        assert json.loads((run / "environment.json").read_text())["code"] == stored


def test_seeds_with_different_code_are_not_one_row(
    here: tuple[Path, Path], capsys: Capture, monkeypatch: Patch
) -> None:
    """Seeds that are added after the code has changed make another comparison, or are refused under its name."""
    configs, _ = here
    monkeypatch.chdir(configs.parent)
    words = ["compare", "own_sum", *WORDS, "device.threads=1", "--config-dir", str(configs), "-q", "--json"]
    code, out, said = in_process(capsys, monkeypatch, *words, "--seeds", "1", "--name", "c")
    assert code == 0, said
    (configs.parent / "parts" / "numbers_.py").write_text("FACTOR = 100.0\n")
    code, _, said = in_process(capsys, monkeypatch, *words, "--seeds", "2", "--name", "c")
    assert code == 2
    assert "holds another comparison: other models, settings or code" in said
    folder = Path(json.loads(out)["folder"])
    shutil.copytree(folder / "own_sum" / "seed-0", folder / "own_sum" / "seed-1")
    environment = folder / "own_sum" / "seed-1" / "environment.json"
    environment.write_text(environment.read_text().replace('"code": {', '"code": {"more.py": "0", '))
    (folder / "own_sum" / "seed-1" / "overrides.txt").write_text(
        (folder / "own_sum" / "seed-0" / "overrides.txt").read_text().replace("seed=0", "seed=1")
    )
    (configs.parent / "parts" / "numbers_.py").write_text(CODE["parts/numbers_.py"])
    code, _, said = in_process(capsys, monkeypatch, *words, "--seeds", "2", "--name", "c")
    assert code == 4
    assert "were made with different code" in said


def test_code_behind_a_link_is_code_of_the_run(here: tuple[Path, Path], tmp_path: Path) -> None:
    configs, _ = here
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (configs.parent / "own_sum.py").rename(elsewhere / "models_v1.py")
    (configs.parent / "own_sum.py").symlink_to(elsewhere / "models_v1.py")
    config = load_run_config(["model=own_sum", *WORDS, f"runs_dir={tmp_path / 'runs'}"], configs)
    run = train(config, name="linked").folder
    assert (run / "code" / "own_sum.py").read_text() == MODEL
    assert not (run / "code" / "own_sum.py").is_symlink()
    (elsewhere / "models_v1.py").write_text(MODEL + "\n# a word more\n")
    with pytest.raises(CheckpointError, match=r"own_sum\.py has changed"):
        check_code(run, configs)


def test_modules_imported_by_a_computed_name_are_code_of_the_run(tmp_path: Path) -> None:
    """In processes of their own, as nothing of it may have been imported before; in the folder that holds the code."""
    write_code(tmp_path)
    scaling = 'from importlib import import_module\n\nscaled = import_module("my_" + "helper").scaled\n'
    (tmp_path / "parts" / "scaling.py").write_text(scaling)
    helper = "def scaled(x):\n    return x * 0.1\n"
    (tmp_path / "my_helper.py").write_text(helper)
    words = ["train", "model=own_sum", *WORDS, "--config-dir", "configs", "--name", "a", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(Path(seqlab.__file__).parent.parent)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "seqlab", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert (made := run(*words)).returncode == 0, made.stderr
    folder = tmp_path / "runs" / "char_lm" / "own_sum" / "a"
    assert (folder / "code" / "my_helper.py").read_text() == helper
    first = run("evaluate", "a", "--config-dir", "configs", "--json")
    assert first.returncode == 0, first.stderr
    (tmp_path / "my_helper.py").write_text(helper.replace("0.1", "3.0"))
    changed = run("evaluate", "a", "--config-dir", "configs")
    assert changed.returncode == 4
    assert "my_helper.py has changed" in changed.stderr
    kept = run("evaluate", "a", "--config-dir", str(folder / "code"), "--json")
    assert json.loads(kept.stdout)["metrics"] == json.loads(first.stdout)["metrics"]
    shutil.copytree(folder, folder.with_name("b"))
    both = run("compare", "a", "b", "--config-dir", str(folder / "code"), "--json")
    assert "one config with one seed" in both.stderr  # and nothing about code


def test_imports_are_followed_without_running_anything(tmp_path: Path) -> None:
    configs = write_code(tmp_path)
    (tmp_path / "own_sum.py").write_text("raise SystemExit\nimport parts.scaling, torch, os, unheard_of\n")
    tree = {"model": {"_target_": "own_sum.SumConfig"}, "task": {"_target_": "seqlab.tasks.char_lm.CharLMConfig"}}
    assert list(code_files(tree, configs)) == sorted(CODE)
