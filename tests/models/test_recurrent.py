"""Torch's fused kernels against the equations that each family's file states, forward and gradient."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from seqlab.interfaces import Role
from seqlab.layers.recurrent import RecurrentStack
from seqlab.models.gru import gru_step
from seqlab.models.lstm import lstm_step
from seqlab.models.rnn import rnn_step
from tests.conftest import tiny_config

B, T, D = 4, 7, 16

Unrolled = Callable[[nn.RNNBase, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def _weights(kernel: nn.RNNBase) -> list[Tensor]:
    return [kernel.get_parameter(f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def _unroll_rnn(kernel: nn.RNNBase, x_BTD: Tensor, h_BH: Tensor, c_BH: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    W_xh, W_hh, b_xh, b_hh = _weights(kernel)
    outputs = []
    for x_BD in x_BTD.unbind(1):
        h_BH = rnn_step(x_BD, h_BH, W_xh, W_hh, b_xh + b_hh)
        outputs.append(h_BH)
    return torch.stack(outputs, 1), h_BH, c_BH


def _unroll_lstm(kernel: nn.RNNBase, x_BTD: Tensor, h_BH: Tensor, c_BH: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    W_xh, W_hh, b_xh, b_hh = _weights(kernel)
    outputs = []
    for x_BD in x_BTD.unbind(1):
        h_BH, c_BH = lstm_step(x_BD, h_BH, c_BH, W_xh, W_hh, b_xh + b_hh)
        outputs.append(h_BH)
    return torch.stack(outputs, 1), h_BH, c_BH


def _unroll_gru(kernel: nn.RNNBase, x_BTD: Tensor, h_BH: Tensor, c_BH: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    outputs = []
    for x_BD in x_BTD.unbind(1):
        h_BH = gru_step(x_BD, h_BH, *_weights(kernel))
        outputs.append(h_BH)
    return torch.stack(outputs, 1), h_BH, c_BH


@pytest.mark.parametrize(("model", "unroll"), [("rnn", _unroll_rnn), ("lstm", _unroll_lstm), ("gru", _unroll_gru)])
def test_the_fused_kernel_is_the_equation(model: str, unroll: Unrolled) -> None:
    torch.manual_seed(0)
    stack = tiny_config(model, "char_lm", "model.layers=1").model.build(Role.DECODER)
    assert isinstance(stack, RecurrentStack)
    kernel = stack.kernels[0]
    assert isinstance(kernel, nn.RNNBase)
    for parameter in kernel.parameters():  # biases start at zero: give each a value of its own
        nn.init.normal_(parameter, std=0.3)
    x_BTD = torch.randn(B, T, D, requires_grad=True)
    h_BH, c_BH = torch.randn(B, D, requires_grad=True), torch.randn(B, D, requires_grad=True)
    state = ((h_BH, c_BH),) if model == "lstm" else ((h_BH,),)
    y_BTD, ((*last,),) = stack(x_BTD, state)
    expected_BTD, *expected_last = unroll(kernel, x_BTD, h_BH, c_BH)
    torch.testing.assert_close(y_BTD, expected_BTD, rtol=1e-5, atol=1e-6)
    for part, expected in zip(last, expected_last, strict=False):
        torch.testing.assert_close(part, expected, rtol=1e-5, atol=1e-6)
    leaves = [x_BTD, h_BH, *kernel.parameters(), *([c_BH] if model == "lstm" else [])]
    probe_BTD = torch.randn(B, T, D)
    mine = torch.autograd.grad((y_BTD * probe_BTD).sum(), leaves)
    theirs = torch.autograd.grad((expected_BTD * probe_BTD).sum(), leaves)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("model", "gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_recurrent_weights_start_orthogonal(model: str, gates: int) -> None:
    stack = tiny_config(model, "char_lm").model.build(Role.DECODER)
    for name, parameter in stack.named_parameters():
        if "weight_hh" in name:
            for block in parameter.chunk(gates):
                torch.testing.assert_close(block @ block.T, torch.eye(D), rtol=1e-4, atol=1e-5)


def test_the_forget_gate_starts_open() -> None:
    stack = tiny_config("lstm", "char_lm").model.build(Role.DECODER)
    for name, parameter in stack.named_parameters():
        if "bias" in name:
            expected = torch.zeros(4 * D)
            expected[D : 2 * D] = 1.0 if "bias_ih" in name else 0.0
            assert torch.equal(parameter, expected)


def test_layer_norm_stands_between_layers() -> None:
    stack = tiny_config("gru", "char_lm", "model.layer_norm=true").model.build(Role.DECODER)
    y_BTD, _ = stack(torch.randn(B, T, D), stack.initial_state(B))
    torch.testing.assert_close(y_BTD.mean(-1), torch.zeros(B, T), rtol=0, atol=1e-5)
    torch.testing.assert_close(y_BTD.var(-1, unbiased=False), torch.ones(B, T), rtol=1e-2, atol=1e-2)
