"""The selective state space model: the chunked form against the equation, and the layer around it."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.core.model import Role
from seqlab.core.state import State, detach
from seqlab.errors import ConfigError
from seqlab.layers.recurrent import RecurrentStack
from seqlab.layers.residual import ResidualBlock
from seqlab.models.ssm import SelectiveSSM, SSMConfig, selective_scan, selective_scan_stepwise
from tests.conftest import tiny_config

B, T, D, H, P, N = 3, 70, 16, 4, 3, 5
"""T: more than two chunks."""

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def _inputs(
    rows: int = B,
    steps: int = T,
    heads: int = H,
    size: int = P,
    state_size: int = N,
    dtype: torch.dtype = torch.float32,
) -> Inputs:
    """(x_BTHP, dt_BTH, rate_H, write_BTN, read_BTN, h_BHPN), with decays from 0.9999 to 1e-7 for a step."""
    dt_BTH = 10 ** torch.empty(rows, steps, heads, dtype=dtype).uniform_(-4, 0.7)
    rate_H = torch.empty(heads, dtype=dtype).uniform_(0.5, 3)
    read, write = (torch.randn(rows, steps, state_size, dtype=dtype) / state_size**0.5 for _ in range(2))
    x_BTHP = torch.randn(rows, steps, heads, size, dtype=dtype)
    return x_BTHP, dt_BTH, rate_H, write, read, torch.randn(rows, heads, size, state_size, dtype=dtype)


def _layer(*overrides: str) -> SelectiveSSM:
    """A layer with every weight drawn at random."""
    torch.manual_seed(0)
    stack = tiny_config("ssm", "char_lm", "model.layers=1", *overrides).model.build(Role.DECODER)
    assert isinstance(stack, RecurrentStack)
    block = stack.kernels[0]
    assert isinstance(block, ResidualBlock)
    layer = block.mixer
    assert isinstance(layer, SelectiveSSM)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    return layer.eval()


@given(
    rows=st.integers(1, 3), steps=st.integers(1, 40), heads=st.integers(1, 3), size=st.integers(1, 4),
    state_size=st.integers(1, 5), chunk=st.integers(1, 17), seed=st.integers(0, 2**16),
)  # fmt: skip
@settings(max_examples=40)
def test_the_chunked_form_equals_the_equation_step_by_step(
    rows: int, steps: int, heads: int, size: int, state_size: int, chunk: int, seed: int
) -> None:
    torch.manual_seed(seed)
    given_ = _inputs(rows, steps, heads, size, state_size)
    y_BTHP, h_BHPN = selective_scan(*given_, chunk=chunk)
    expected_BTHP, expected_BHPN = selective_scan_stepwise(*given_)
    torch.testing.assert_close(y_BTHP, expected_BTHP, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(h_BHPN, expected_BHPN, rtol=1e-5, atol=1e-5)


def test_gradients_of_the_chunked_form_are_right() -> None:
    torch.manual_seed(0)
    given_ = _inputs(2, 7, 2, 2, 3, torch.float64)
    for value in given_:
        value.requires_grad_()
    assert torch.autograd.gradcheck(partial(selective_scan, chunk=3), given_)


def test_decays_of_zero_and_one_give_finite_values() -> None:
    """Steps that keep the whole state, and steps that erase it (exp(-10,000) is 0)."""
    torch.manual_seed(0)
    x, dt, rate, write, read, h = _inputs()
    dt = torch.tensor([0.0, 1.0, 1e4])[torch.randint(3, dt.shape)]
    x = x / dt.clamp(min=1)[..., None]  # what is written stays of order 1
    given_ = (x, dt, rate, write, read, h)
    for value in given_:
        value.requires_grad_()
    y_BTHP, last_BHPN = selective_scan(*given_)
    expected_BTHP, expected_BHPN = selective_scan_stepwise(*given_)
    torch.testing.assert_close(y_BTHP, expected_BTHP, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(last_BHPN, expected_BHPN, rtol=1e-5, atol=1e-5)
    for gradient in torch.autograd.grad(y_BTHP.sum() + last_BHPN.sum(), given_):
        assert bool(gradient.isfinite().all())


@torch.no_grad()
def test_the_layer_equals_the_published_one_written_out() -> None:
    """Projection, depthwise convolution and SiLU, the recurrence, D, gate, norm, projection: position by position. Its
    signals are the recurrence's own values."""
    layer = _layer("model.heads=4", "model.state_size=5", "model.conv=3")
    inner = 2 * D
    x_BTD, tail_BKF, h_BHPN = torch.randn(B, 6, D), torch.randn(B, 2, inner + 10), torch.randn(B, 4, inner // 4, 5)
    y_BTD, _ = layer(x_BTD, (tail_BKF, h_BHPN))
    signals = layer.signals(x_BTD, (tail_BKF, h_BHPN))
    assert list(signals) == ["hidden", "forget", "input"]
    weight = dict(layer.named_parameters())
    taps_FK, bias_F = weight["convolution.convolution.weight"][:, 0], weight["convolution.convolution.bias"]
    for t, x_BD in enumerate(x_BTD.unbind(1)):
        z, xBC, dt = (x_BD @ weight["project_in.weight"].T).split([inner, inner + 10, 4], 1)
        window_BKF = torch.cat((tail_BKF, xBC[:, None]), 1)
        tail_BKF = window_BKF[:, 1:]
        x, write, read = F.silu((window_BKF * taps_FK.T).sum(1) + bias_F).split([inner, 5, 5], 1)
        dt = torch.log1p(torch.exp(dt + weight["dt_bias"]))
        a = torch.exp(-dt * torch.exp(weight["log_rate"]))
        written_BHPN = torch.einsum("bh,bhp,bn->bhpn", dt, x.view(B, 4, -1), write)
        h_BHPN = a[:, :, None, None] * h_BHPN + written_BHPN
        y = torch.einsum("bhpn,bn->bhp", h_BHPN, read)
        for name, expected in {"hidden": y.flatten(1), "forget": a, "input": dt}.items():
            torch.testing.assert_close(signals[name][:, t], expected, rtol=1e-4, atol=1e-5)
        y = y + weight["skip"][:, None] * x.view(B, 4, -1)
        y = y.flatten(1) * F.silu(z)
        y = F.rms_norm(y, (inner,), eps=1e-5)
        torch.testing.assert_close(y_BTD[:, t], y @ weight["project_out.weight"].T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "overrides", [("model.expansion=1",), ("model.conv=1",), ("model.conv=null",), ("model.feed_forward=null",)]
)
@torch.no_grad()
def test_windows_of_several_chunks_equal_the_whole(overrides: tuple[str, ...]) -> None:
    model = tiny_config("ssm", "char_lm", *overrides).model.build(Role.DECODER).eval()
    x_BTD = torch.randn(B, T, D)
    whole_BTD, last = model(x_BTD, model.initial_state(B))
    state, parts = model.initial_state(B), list[Tensor]()
    for piece_BTD in x_BTD.split([1, 33, 36], 1):
        y_BTD, state = model(piece_BTD, detach(state))
        parts.append(y_BTD)
    torch.testing.assert_close(torch.cat(parts, 1), whole_BTD, rtol=1e-4, atol=1e-5)
    for mine, theirs in zip(_flat(state), _flat(last), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def _flat(state: State) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else [tensor for part in state for tensor in _flat(part)]


def test_how_much_of_the_past_is_kept_depends_on_later_inputs() -> None:
    """Selectivity: if the decays depended on distance alone, these gradients would be equal."""
    layer = _layer("model.conv=1")
    first_BTD, gradients = torch.randn(1, 1, D), []
    for between_BTD in torch.randn(2, 1, 3, D):
        x_BTD = first_BTD.clone().requires_grad_()
        hidden_BTI = layer.signals(torch.cat((x_BTD, between_BTD, first_BTD), 1), layer.initial_state(1))["hidden"]
        gradients.append(torch.autograd.grad(hidden_BTI[:, -1].sum(), x_BTD)[0])
    one_BTD, other_BTD = gradients
    assert not torch.allclose(one_BTD, other_BTD, rtol=0.01)


@torch.no_grad()
def test_heads_start_with_time_scales_from_one_to_a_thousand_steps() -> None:
    config = tiny_config("ssm", "char_lm", "model.heads=16").model
    assert isinstance(config, SSMConfig)
    layer = SelectiveSSM(config)
    kept_H = torch.exp(-F.softplus(layer.dt_bias) * layer.log_rate.exp())
    scale_H = -1 / kept_H.log()
    assert float(scale_H.min()) == pytest.approx(1000 ** (0.5 / 16), rel=1e-3)
    assert float(scale_H.max()) == pytest.approx(1000 ** (15.5 / 16), rel=1e-3)
    steps = scale_H.log().diff()
    torch.testing.assert_close(steps, torch.full_like(steps, math.log(1000) / 16), rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_the_recurrence_stays_in_fp32_under_autocast() -> None:
    layer, x_BTD = _layer(), torch.randn(B, T, D)
    with torch.autocast("cpu", torch.bfloat16):
        gate_BTI, x_BTHP, dt_BTH, y_BTHP, state = layer._read(x_BTD, layer.initial_state(B))
    assert gate_BTI.dtype == torch.bfloat16
    assert {value.dtype for value in (x_BTHP, dt_BTH, y_BTHP, *_flat(state))} == {torch.float32}


def test_heads_must_divide_the_inner_width() -> None:
    with pytest.raises(ConfigError, match=r"model.heads=5 must divide model.expansion \* model.width = 32") as error:
        tiny_config("ssm", "char_lm", "model.heads=5")
    assert error.value.hint == "try model.heads=4"


def test_other_widths_keep_the_heads() -> None:
    config = tiny_config("ssm", "char_lm", "model.heads=8", "model.state_size=4").model
    assert isinstance(config, SSMConfig)
    assert list(config.at_width(17)) == []
    found = list(config.at_width(20))
    assert [(c.width, c.heads, c.state_size) for c in found] == [(20, 8, n) for n in (4, 3, 5, 2, 6)]
