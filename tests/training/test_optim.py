"""The schedule as a pure function, and which parameters decay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from seqlab.config.sources import group_files
from seqlab.errors import ConfigError
from seqlab.layers.embedding import TokenEmbedding
from seqlab.training.optim import AdamWConfig, OptimConfig, RMSpropConfig, SGDConfig
from tests.conftest import tiny_config


def _config(**settings: Any) -> AdamWConfig:
    values: dict[str, Any] = {
        "learning_rate": 0.1, "weight_decay": 0.5, "schedule": "cosine", "warmup_steps": 10, "final_share": 0.1,
        "horizon_steps": None, "betas": (0.9, 0.99), "epsilon": 1e-8, **settings,
    }  # fmt: skip
    return AdamWConfig(**values)


@given(
    schedule=st.sampled_from(["constant", "linear", "cosine", "inverse_sqrt"]),
    warmup=st.integers(0, 50),
    horizon=st.integers(1, 500),
    step=st.integers(0, 1000),
)
def test_the_rate_rises_in_warm_up_falls_after_and_never_leaves_its_bounds(
    schedule: str, warmup: int, horizon: int, step: int
) -> None:
    config = _config(schedule=schedule, warmup_steps=warmup)
    now, then = (config.learning_rate_at(s, horizon) for s in (step, step + 1))
    assert 0 < now <= 0.1 + 1e-12
    if step + 1 < warmup:
        assert then > now
    elif step >= warmup:
        assert then <= now + 1e-12


def test_known_points_of_the_schedules() -> None:
    assert _config().learning_rate_at(0, 110) == pytest.approx(0.01)
    assert _config().learning_rate_at(9, 110) == pytest.approx(0.1)
    assert _config().learning_rate_at(60, 110) == pytest.approx(0.1 * (0.1 + 0.9 * 0.5))
    assert _config().learning_rate_at(110, 110) == pytest.approx(0.01)
    assert _config().learning_rate_at(9999, 110) == pytest.approx(0.01)
    assert _config(schedule="linear").learning_rate_at(35, 110) == pytest.approx(0.1 * (0.1 + 0.9 * 0.75))
    assert _config(schedule="inverse_sqrt").learning_rate_at(39, None) == pytest.approx(0.05)
    assert _config(schedule="constant").learning_rate_at(5000, None) == 0.1


def test_the_horizon_is_its_own_setting_or_max_steps() -> None:
    assert _config(horizon_steps=7).horizon(100) == 7
    assert _config().horizon(100) == 100
    assert _config(schedule="constant").horizon(None) is None
    with pytest.raises(ConfigError, match="needs to know where it ends"):
        _config().horizon(None)


def test_biases_norms_and_embeddings_do_not_decay() -> None:
    network = nn.ModuleDict({"embed": TokenEmbedding(5, 4), "layer": nn.Linear(4, 4), "norm": nn.LayerNorm(4)})
    groups = _config().build(network).param_groups
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0]
    layer = network["layer"]
    assert isinstance(layer, nn.Linear)
    assert [id(p) for p in groups[0]["params"]] == [id(layer.weight)]
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))


_CONFIGS = (
    _config(),
    SGDConfig(learning_rate=0.1, weight_decay=0, schedule="constant", warmup_steps=0, final_share=0,
              horizon_steps=None, momentum=0.9),
    RMSpropConfig(learning_rate=0.1, weight_decay=0, schedule="constant", warmup_steps=0, final_share=0,
                  horizon_steps=None, decay=0.9, momentum=0.0, epsilon=1e-8),
)  # fmt: skip
_EVERY = tuple(tiny_config("lstm", "char_lm", f"optim={name}").optim for name in group_files("optim", None))


@pytest.mark.parametrize("config", _CONFIGS, ids=lambda config: type(config).__name__)
def test_every_step_is_that_of_torchs_own_optimizer_also_after_loading(config: OptimConfig) -> None:
    weights = []
    for wrapped in (False, True):
        torch.manual_seed(0)
        network, x = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)), torch.randn(20, 3)
        optimizer = config.build(network)
        for number in range(6):
            if number % 3 == 0:
                state = optimizer.state_dict()
                optimizer = config.build(network)
                if wrapped:
                    kind: Any = type(optimizer).__mro__[2]
                    assert kind.__module__.startswith("torch.optim")
                    optimizer = kind(optimizer.param_groups)
                optimizer.load_state_dict(state)
            optimizer.zero_grad()
            network(x).square().sum().backward()
            optimizer.step()
        weights.append([parameter.detach().clone() for parameter in network.parameters()])
    assert all(torch.equal(mine, torchs) for mine, torchs in zip(*weights, strict=True))


def test_training_does_not_import_the_compiler(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("a quick brown fox, and a lazy dog.\n" * 40, encoding="utf-8")
    words = [f"task.corpus={corpus}", "task.window=8", "model.width=8", "trainer.max_steps=2", "device=cpu"]
    code = "import sys, seqlab; seqlab.train(*sys.argv[1:]); sys.exit('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("config", _EVERY, ids=lambda config: type(config).__name__)
def test_torch_wraps_nothing_around_a_step(config: OptimConfig) -> None:
    """It would if it no longer knew the mark, and a small training step would take a tenth longer."""
    optimizer = config.build(nn.Linear(3, 1))
    with torch.profiler.profile() as profile:
        optimizer.step()
    assert not [event.key for event in profile.key_averages() if event.key.startswith("Optimizer.step")]


@pytest.mark.parametrize("config", _EVERY, ids=lambda config: type(config).__name__)
def test_every_optimizer_descends(config: OptimConfig) -> None:
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    optimizer, x, y = config.build(network), torch.randn(20, 3), torch.randn(20, 1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (network(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
