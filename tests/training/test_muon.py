"""Muon: its step, what it changes, and that AdamW has the rest."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from seqlab.errors import ConfigError
from seqlab.training.muon import Muon, MuonConfig, orthogonal
from seqlab.training.optim import AdamWConfig
from tests.conftest import MODELS, ROLES, tiny_config, tiny_network


def _config() -> MuonConfig:
    config = tiny_config("lstm", "char_lm", "optim=muon").optim
    assert isinstance(config, MuonConfig)
    return config


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 40), columns=st.integers(1, 40), scale=st.floats(1e-3, 1e3), seed=st.integers(0, 9))
def test_a_step_has_the_gradients_singular_vectors_and_nearly_equal_singular_values(
    rows: int, columns: int, scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    rank = min(rows, columns)
    left, right = (torch.linalg.qr(torch.randn(n, rank, generator=generator))[0] for n in (rows, columns))
    values = torch.linspace(1, 0.1 if rank < 30 else 0.3, rank)
    made = orthogonal((left * values) @ right.T * scale, 5)
    in_their_basis = left.T @ made @ right
    assert made.shape == (rows, columns)
    assert bool((in_their_basis.diagonal() > 0.6).all())
    assert bool((in_their_basis.diagonal() < 1.3).all())
    assert float((in_their_basis - in_their_basis.diagonal().diag()).abs().max()) < 0.1


def test_nothing_to_learn_changes_nothing() -> None:
    assert torch.equal(orthogonal(torch.zeros(3, 5), 5), torch.zeros(3, 5))


def test_steps_are_those_of_torchs_muon_and_adamw() -> None:
    """torch's computes in bf16, ours only where that is fast."""
    config = _config()
    weights = []
    for ours in (True, False):
        torch.manual_seed(0)
        network, x = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 6)), torch.randn(20, 6)
        if ours:
            optimizers = [config.build(network)]
        else:
            matrices, rest = ([p for p in network.parameters() if (p.ndim > 1) == flag] for flag in (True, False))
            optimizers = [
                torch.optim.Muon(
                    matrices, config.learning_rate, config.weight_decay, config.momentum, ns_steps=config.iterations,
                    adjust_lr_fn="match_rms_adamw",
                ),
                torch.optim.AdamW(rest, config.learning_rate, config.betas, config.epsilon, weight_decay=0.0),
            ]  # fmt: skip
        start = [p.detach().clone() for p in network.parameters()]
        for _ in range(3):
            network.zero_grad()
            (network(x) - x).square().mean().backward()
            for optimizer in optimizers:
                optimizer.step()
        weights.append([p.detach() - before for p, before in zip(network.parameters(), start, strict=True)])
    for mine, theirs in zip(*weights, strict=True):
        assert float((mine - theirs).norm() / theirs.norm()) < 0.02


@pytest.mark.parametrize(("model", "task"), list(product(MODELS, ROLES)))
def test_it_changes_matrices_of_the_sequence_models_and_adamw_the_rest(model: str, task: str) -> None:
    network = tiny_network(tiny_config(model, task))
    groups = _config().build(network).param_groups
    plain = AdamWConfig(
        learning_rate=0.1, weight_decay=0.01, schedule="constant", warmup_steps=0, final_share=0.0, horizon_steps=None,
        betas=(0.9, 0.99), epsilon=1e-8,
    ).build(network)  # fmt: skip
    decay = {id(p): group["weight_decay"] for group in plain.param_groups for p in group["params"]}
    assert {id(p): group["weight_decay"] for group in groups for p in group["params"]} == decay
    assert sum(len(group["params"]) for group in groups) == len(decay)
    parts, names = network.parts(), {id(p): name for name, p in network.named_parameters()}
    changed = {names[id(p)] for group in groups if group["orthogonal"] for p in group["params"]}
    body = {names[id(p)] for module in parts.body if isinstance(module, nn.Module) for p in module.parameters()}
    assert changed <= body
    assert not any(word in name for name in changed for word in ("bias", "norm"))
    # a weight g v / |v| is of two parameters, neither of which multiplies anything
    assert changed or any("parametrizations" in name for name in body)
    depthwise = {f"{name}.weight" for name, m in network.named_modules() if isinstance(m, nn.Conv1d) and m.groups > 1}
    assert not changed & depthwise
    if model in ("rnn", "lstm", "gru"):
        assert {"weight_ih_l0", "weight_hh_l0"} <= {name.rpartition(".")[2] for name in changed}


def test_it_goes_on_after_loading_in_the_same_bits() -> None:
    weights = []
    for loaded in (False, True):
        torch.manual_seed(0)
        network, x = nn.Linear(5, 7), torch.randn(20, 5)
        optimizer = _config().build(network)
        for number in range(6):
            if loaded and number == 3:
                state = optimizer.state_dict()
                optimizer = _config().build(network)
                optimizer.load_state_dict(state)
            network.zero_grad()
            network(x).square().mean().backward()
            optimizer.step()
        assert isinstance(optimizer, Muon)
        weights.append([p.detach().clone() for p in network.parameters()])
    assert all(map(torch.equal, *weights))


def test_shards_are_refused_before_anything_is_built() -> None:
    with pytest.raises(ConfigError, match="optim=muon needs whole matrices") as error:
        tiny_config("lstm", "char_lm", "optim=muon", "device.sharding=fsdp", "device.processes=2")
    assert error.value.hint.startswith("try device.sharding=ddp")
