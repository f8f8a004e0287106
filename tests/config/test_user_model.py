"""A model in a user's own module, named from their own config folder, works with no edit in seqlab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seqlab import load
from seqlab.config.run import load_run_config
from seqlab.errors import ConfigError
from seqlab.runs.train import train
from tests.commands import Capture, Patch, in_process, run
from tests.conftest import KINDS, MODELS, tiny_overrides

MODULE = '''
import torch
from pydantic.dataclasses import dataclass
from torch import nn

from seqlab.core.model import ModelConfig, Role, SequenceModel
from seqlab.layers.roles import fill_role


@dataclass(frozen=True, kw_only=True)
class RunningMeanConfig(ModelConfig):
    """y_t = tanh(W mean(x_1 .. x_t))."""

    bias: bool

    def build(self, role: Role) -> SequenceModel:
        return fill_role(lambda: RunningMean(self), role, self.width)


class RunningMean(SequenceModel):
    def __init__(self, config):
        super().__init__()
        self.width, self.mix = config.width, nn.Linear(config.width, config.width, bias=config.bias)

    def initial_state(self, rows, *, capacity=0):
        zeros = self.mix.weight.new_zeros
        return (zeros(rows, self.width), zeros(rows, 1))

    def forward(self, x_BTD, state, *, valid_BT=None, memory=None):
        sum_BD, count_B1 = state
        sums = sum_BD[:, None] + x_BTD.cumsum(1)
        counts = count_B1[:, None] + torch.arange(1, x_BTD.shape[1] + 1, device=x_BTD.device)[:, None]
        return self.mix(sums / counts).tanh(), (sums[:, -1], counts[:, -1])
'''

YAML = """# @package _global_
# A running mean
model:
  _target_: my_models.RunningMeanConfig
  width: 16
  dropout: 0.0
  tie_embeddings: true
  bias: true
"""


VIEWS = {  # of the tasks that ship
    "char_lm": {"gradient", "memory", "states", "embedding"},
    "sentiment": {"states", "embedding", "confusion", "errors"},
    "translation": {"states", "attention", "heads", "bottleneck", "embedding", "errors"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """configs/model/running_mean.yaml with my_models.py beside configs/."""
    (tmp_path / "my_models.py").write_text(MODULE)
    (tmp_path / "configs" / "model").mkdir(parents=True)
    (tmp_path / "configs" / "model" / "running_mean.yaml").write_text(YAML)
    return tmp_path / "configs"


@pytest.mark.parametrize("task", [KINDS[0], *(pytest.param(task, marks=pytest.mark.slow) for task in KINDS[1:])])
def test_a_users_model_trains_on_every_kind_of_task(
    folder: Path, tmp_path: Path, task: str, capsys: Capture, monkeypatch: Patch
) -> None:
    """On the first one in processes of their own, as users run it."""

    def said(*words: str) -> Any:
        words = (*words, "--config-dir", str(folder), "--json")
        if task == KINDS[0]:
            done = run(*words, cwd=Path("/"))
            code, out, err = done.returncode, done.stdout, done.stderr
        else:
            code, out, err = in_process(capsys, monkeypatch, *words)
        assert code == 0, err
        assert "Warning" not in err
        return json.loads(out)

    small = (word for word in tiny_overrides(MODELS[0], task) if word.startswith("task."))
    words = (f"task={task}", f"runs_dir={tmp_path / 'runs'}", "trainer.max_steps=2", "device.threads=1", *small)
    result = said("train", "model=running_mean", *words, "--quiet")
    assert "width: 16" in (tmp_path / result["folder"] / "config.yaml").read_text()  # no task overrules the user
    assert (result["model"], result["task"], result["steps"]) == ("running_mean", task, 2)
    views = {name.partition("-")[0] for name in said("inspect", result["folder"])["pictures"]}
    assert views == VIEWS.get(task, views) != set()


def test_a_users_run_loads_with_its_folder_and_not_without(folder: Path, tmp_path: Path) -> None:
    overrides = ["model=running_mean", "trainer.max_steps=1", f"runs_dir={tmp_path}", "task.window=16"]
    result = train(load_run_config(overrides, folder))
    assert not load(result.folder, config_dir=folder).network.training
    with pytest.raises(ConfigError, match="outside seqlab"):
        load(result.folder)
