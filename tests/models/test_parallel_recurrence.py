"""Families whose gates depend on the input alone: the parallel forward pass against the equations, written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from seqlab.core.model import Role
from seqlab.layers.gated_scan import GatedScan, GatedScanConfig
from tests.conftest import MODELS, tiny_config

B, T, D = 3, 9, 16


def _config(model: str, *overrides: str) -> GatedScanConfig | None:
    config = tiny_config(model, "char_lm", *overrides).model
    return config if isinstance(config, GatedScanConfig) else None


FAMILIES = [model for model in MODELS if _config(model)]


def _mixer(model: str, *overrides: str) -> GatedScan:
    torch.manual_seed(0)
    config = _config(model, "model.layers=1", *overrides)
    assert config is not None
    (mixer,) = config.mixers()
    assert isinstance(mixer, GatedScan)
    for parameter in mixer.parameters():
        nn.init.normal_(parameter, std=0.4)
    return mixer


def _of_gates(mixer: GatedScan) -> list[tuple[Tensor, Tensor]]:
    """Each gate's (W, b)."""
    weights, biases = (part.chunk(mixer.blocks) for part in (mixer.project.weight, mixer.project.bias))
    return list(zip(weights, biases, strict=True))


def _min_gru(mixer: GatedScan, x_BD: Tensor, h_BH: Tensor) -> Tensor:
    (W_z, b_z), (W_n, b_n) = _of_gates(mixer)
    z_BH = torch.sigmoid(x_BD @ W_z.T + b_z)
    return (1 - z_BH) * h_BH + z_BH * (x_BD @ W_n.T + b_n)


def _min_lstm(mixer: GatedScan, x_BD: Tensor, h_BH: Tensor) -> Tensor:
    (W_f, b_f), (W_i, b_i), (W_n, b_n) = _of_gates(mixer)
    f_BH, i_BH = torch.sigmoid(x_BD @ W_f.T + b_f), torch.sigmoid(x_BD @ W_i.T + b_i)
    total_BH = f_BH + i_BH
    return f_BH / total_BH * h_BH + i_BH / total_BH * (x_BD @ W_n.T + b_n)


EQUATIONS = {"mingru": _min_gru, "minlstm": _min_lstm}


def test_each_family_has_an_equation_to_compare_with() -> None:
    assert set(EQUATIONS) == set(FAMILIES)


@pytest.mark.parametrize("model", FAMILIES)
def test_all_positions_at_once_equal_the_equation_step_by_step(model: str) -> None:
    """Starting from a non-zero state; forward and gradient."""
    mixer = _mixer(model, "model.conv=null", "model.expansion=2")
    x_BTD, h_BH = torch.randn(B, T, D, requires_grad=True), torch.randn(B, 2 * D, requires_grad=True)
    y_BTD, (_, last_BH) = mixer(x_BTD, ((), h_BH))
    after_BH, outputs = h_BH, []
    for x_BD in x_BTD.unbind(1):
        after_BH = EQUATIONS[model](mixer, x_BD, after_BH)
        outputs.append(mixer.output(after_BH))
    torch.testing.assert_close(last_BH, after_BH, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(y_BTD, torch.stack(outputs, 1), rtol=1e-5, atol=1e-5)
    leaves, probe_BTD = (x_BTD, h_BH, *mixer.parameters()), torch.randn(B, T, D)
    mine, theirs = (torch.autograd.grad((y * probe_BTD).sum(), leaves) for y in (y_BTD, torch.stack(outputs, 1)))
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("conv", ["null", "4"])
@torch.no_grad()
def test_a_state_is_carried_between_pieces(model: str, conv: str) -> None:
    mixer, x_BTD = _mixer(model, f"model.conv={conv}"), torch.randn(B, T, D)
    _, before = mixer(torch.randn(B, 3, D), mixer.initial_state(B))
    whole_BTD, _ = mixer(x_BTD, before)
    for pieces in ([1] * T, [4, 5], [2, 1, 6]):
        state, parts = before, []
        for piece_BTD in x_BTD.split(pieces, 1):
            y_BTD, state = mixer(piece_BTD, state)
            parts.append(y_BTD)
        torch.testing.assert_close(torch.cat(parts, 1), whole_BTD, rtol=1e-5, atol=1e-5)
    step, state = mixer.start(), before
    for t, x_BD in enumerate(x_BTD.unbind(1)):
        y_BD, state = step(x_BD, state)
        torch.testing.assert_close(y_BD, whole_BTD[:, t], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", FAMILIES)
@torch.no_grad()
def test_signals_are_the_gates_and_the_state(model: str) -> None:
    mixer, x_BTD = _mixer(model), torch.randn(B, T, D)
    _, before = mixer(torch.randn(B, 3, D), mixer.initial_state(B))
    signals = mixer.signals(x_BTD, before)
    kept_BTH, candidate_BTH = signals.get("forget"), signals["candidate"]
    let_in_BTH = signals["input"] if "input" in signals else signals["update"]
    if kept_BTH is None:
        kept_BTH = 1 - let_in_BTH
    torch.testing.assert_close(kept_BTH + let_in_BTH, torch.ones_like(kept_BTH))
    h_BH = before[1]
    for t in range(T):
        h_BH = kept_BTH[:, t] * h_BH + let_in_BTH[:, t] * candidate_BTH[:, t]
        torch.testing.assert_close(signals["hidden"][:, t], h_BH, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", FAMILIES)
def test_closed_gates_do_not_divide_by_zero(model: str) -> None:
    """Both gates of minLSTM at 0, where their quotient is 0/0."""
    mixer = _mixer(model, "model.conv=null")
    with torch.no_grad():
        mixer.project.bias.fill_(-200.0)
    x_BTD = torch.randn(B, T, D, requires_grad=True)
    y_BTD, _ = mixer(x_BTD, mixer.initial_state(B))
    for gradient in torch.autograd.grad(y_BTD.sum(), (x_BTD, *mixer.parameters())):
        assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("overrides", [("model.conv=null",), ("model.feed_forward=null",), ("model.expansion=3",)])
@torch.no_grad()
def test_steps_equal_the_forward_pass_of_each_form(model: str, overrides: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    decoder = tiny_config(model, "char_lm", *overrides).model.build(Role.DECODER).eval()
    x_BTD, state = torch.randn(B, T, D), decoder.initial_state(B)
    expected_BTD, _ = decoder(x_BTD, state)
    step = decoder.start()
    for t, x_BD in enumerate(x_BTD.unbind(1)):
        y_BD, state = step(x_BD, state)
        torch.testing.assert_close(y_BD, expected_BTD[:, t], rtol=1e-5, atol=1e-5)
