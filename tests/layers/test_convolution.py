"""The causal convolution against its sum, written out, in one piece, in pieces and step by step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqlab.core.state import State
from seqlab.layers.convolution import CausalConv

B, T, D = 3, 11, 6
SHAPES = pytest.mark.parametrize(
    ("kernel", "dilation", "depthwise"), [(4, 1, True), (3, 2, True), (1, 1, True), (3, 4, False), (2, 1, False)]
)


def _made(kernel: int, dilation: int, depthwise: bool) -> tuple[CausalConv, Tensor, Tensor]:
    """(the convolution, x_BTD, a state that something was read into)."""
    torch.manual_seed(0)
    conv = CausalConv(D, kernel, dilation, depthwise=depthwise)
    return conv, torch.randn(B, T, D, requires_grad=True), torch.randn(B, (kernel - 1) * dilation, D)


def _written_out(conv: CausalConv, x_BTD: Tensor, state: Tensor) -> Tensor:
    """y_t = b + sum over i < K of W_i x_{t - (K-1-i) * dilation}, where x_{-1} is the last of the state."""
    weight, bias = conv.convolution.weight, conv.convolution.bias
    assert bias is not None
    past = [*state.unbind(1), *x_BTD.unbind(1)]
    outputs = []
    for t in range(T):
        y_BD = bias.expand(B, D)
        for i in range(conv.kernel):
            x_BD = past[state.shape[1] + t - (conv.kernel - 1 - i) * conv.dilation]
            y_BD = y_BD + (x_BD * weight[:, 0, i] if conv.depthwise else x_BD @ weight[:, :, i].T)
        outputs.append(y_BD)
    return torch.stack(outputs, 1)


@SHAPES
def test_it_is_the_sum_over_the_past(kernel: int, dilation: int, depthwise: bool) -> None:
    conv, x_BTD, state = _made(kernel, dilation, depthwise)
    leaves, probe_BTD = (x_BTD, *conv.parameters()), torch.randn(B, T, D)
    y_BTD, expected_BTD = conv(x_BTD, state)[0], _written_out(conv, x_BTD, state)
    torch.testing.assert_close(y_BTD, expected_BTD, rtol=1e-5, atol=1e-5)
    mine, theirs = (torch.autograd.grad((y * probe_BTD).sum(), leaves) for y in (y_BTD, expected_BTD))
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@SHAPES
@torch.no_grad()
def test_pieces_and_single_steps_equal_the_whole_sequence(kernel: int, dilation: int, depthwise: bool) -> None:
    conv, x_BTD, _ = _made(kernel, dilation, depthwise)
    whole_BTD, last = conv(x_BTD, conv.initial_state(B))

    def read(pieces: list[int]) -> tuple[Tensor, State]:
        state, parts = conv.initial_state(B), []
        for piece_BTD in x_BTD.split(pieces, 1):
            y_BTD, state = conv(piece_BTD, state)
            parts.append(y_BTD)
        return torch.cat(parts, 1), state

    step, state, outputs = conv.start(), conv.initial_state(B), []
    for x_BD in x_BTD.unbind(1):
        y_BD, state = step(x_BD, state)
        outputs.append(y_BD)
    for y_BTD, after in (read([4, 7]), read([1, 2, 8]), (torch.stack(outputs, 1), state)):
        torch.testing.assert_close(y_BTD, whole_BTD, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(after, last)


@SHAPES
@torch.no_grad()
def test_zeros_precede_the_first_position(kernel: int, dilation: int, depthwise: bool) -> None:
    conv, x_BTD, state = _made(kernel, dilation, depthwise)
    expected_BTD = _written_out(conv, x_BTD, torch.zeros_like(state))
    torch.testing.assert_close(conv(x_BTD, conv.initial_state(B))[0], expected_BTD, rtol=1e-5, atol=1e-5)
