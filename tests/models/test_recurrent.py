"""Torch's fused kernels against the equations that each family's file states, forward and gradient."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor, nn

from seqlab.core.model import Memory, Role
from seqlab.layers.kernels import Kernel, kernels
from seqlab.layers.recurrent import RecurrentStack
from seqlab.models.lstm import LSTM, _has_bf16_kernel
from seqlab.models.rnn import RNN
from tests.conftest import MODELS, tiny_config

B, T, D = 4, 7, 16


def _is_a_kernel(model: str) -> bool:
    stack = tiny_config(model, "char_lm").model.build(Role.DECODER)
    return isinstance(stack, RecurrentStack) and isinstance(stack.kernels[0], Kernel)


RECURRENT = [model for model in MODELS if _is_a_kernel(model)]


def _stack(model: str) -> RecurrentStack:
    torch.manual_seed(0)
    stack = tiny_config(model, "char_lm", "model.layers=1").model.build(Role.DECODER)
    assert isinstance(stack, RecurrentStack)
    for parameter in stack.parameters():  # biases start at zero: give each a value of its own
        nn.init.normal_(parameter, std=0.3)
    return stack


def _kernel(stack: RecurrentStack) -> Kernel:
    (kernel,) = stack.kernels
    assert isinstance(kernel, Kernel)
    return kernel


def _projections(stack: RecurrentStack, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """(from_x, from_h) of the first layer, (..., G)."""
    weight_of = _kernel(stack).get_parameter
    from_x = x @ weight_of("weight_ih_l0").T + weight_of("bias_ih_l0")
    return from_x, h @ weight_of("weight_hh_l0").T + weight_of("bias_hh_l0")


def _unroll(stack: RecurrentStack, x_BTD: Tensor, before: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The family's equation step by step: the outputs, and what is remembered at the end."""
    outputs = []
    for x_BD in x_BTD.unbind(1):
        before = _kernel(stack).equation(*_projections(stack, x_BD, before[0]), before)
        outputs.append(before[0])
    return torch.stack(outputs, 1), before


@pytest.mark.parametrize("model", RECURRENT)
def test_the_fused_kernel_equals_the_equation(model: str) -> None:
    stack = _stack(model)
    x_BTD = torch.randn(B, T, D, requires_grad=True)
    parts = _kernel(stack).remembers
    before = tuple(torch.randn(B, D, requires_grad=True) for _ in range(parts))
    y_BTD, (last,) = stack(x_BTD, (before,))
    expected_BTD, expected_last = _unroll(stack, x_BTD, before)
    torch.testing.assert_close(y_BTD, expected_BTD, rtol=1e-5, atol=1e-6)
    assert len(last) == len(expected_last) == parts
    for part, expected in zip(last, expected_last, strict=True):
        torch.testing.assert_close(part, expected, rtol=1e-5, atol=1e-6)
    leaves = [x_BTD, *before, *stack.parameters()]
    probe_BTD = torch.randn(B, T, D)
    mine = torch.autograd.grad((y_BTD * probe_BTD).sum(), leaves)
    theirs = torch.autograd.grad((expected_BTD * probe_BTD).sum(), leaves)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_gates_of_all_steps_at_once_are_those_of_the_lstm_kernel() -> None:
    """From the kernel's own outputs they give its memory cell, and from that its outputs again."""
    stack, x_BTD, c_BH = _stack("lstm"), torch.randn(B, T, D), torch.randn(B, D)
    h_BH = torch.randn(B, D)
    y_BTD, _ = stack(x_BTD, ((h_BH, c_BH),))
    before_BTD = torch.cat((h_BH[:, None], y_BTD[:, :-1]), 1)
    gates = _kernel(stack).gates(*_projections(stack, x_BTD, before_BTD))
    assert list(gates) == ["input", "forget", "candidate", "output"]
    for t in range(T):
        c_BH = gates["forget"][:, t] * c_BH + gates["input"][:, t] * gates["candidate"][:, t]
        torch.testing.assert_close(gates["output"][:, t] * c_BH.tanh(), y_BTD[:, t], rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_gates_of_all_steps_at_once_are_those_of_the_gru_kernel() -> None:
    stack, x_BTD, h_BH = _stack("gru"), torch.randn(B, T, D), torch.randn(B, D)
    y_BTD, _ = stack(x_BTD, ((h_BH,),))
    before_BTD = torch.cat((h_BH[:, None], y_BTD[:, :-1]), 1)
    from_x_BTG, from_h_BTG = _projections(stack, x_BTD, before_BTD)
    gates = _kernel(stack).gates(from_x_BTG, from_h_BTG)
    assert list(gates) == ["reset", "update", "candidate"]
    z_BTD, r_BTD = gates["update"], gates["reset"]
    let_in_BTD = from_x_BTG[..., 2 * D :] + r_BTD * from_h_BTG[..., 2 * D :]
    torch.testing.assert_close(gates["candidate"], let_in_BTD.tanh(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close((1 - z_BTD) * gates["candidate"] + z_BTD * before_BTD, y_BTD, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", RECURRENT)
@torch.no_grad()
def test_signals_are_the_hidden_states_and_gates_of_the_equation_step_by_step(model: str) -> None:
    """Of the last layer; a vanilla RNN has no gates."""
    stack = tiny_config(model, "char_lm", "model.layers=2", "model.layer_norm=true").model.build(Role.DECODER)
    assert isinstance(stack, RecurrentStack)
    for parameter in stack.parameters():
        nn.init.normal_(parameter, std=0.3)
    first, last = stack.kernels
    assert isinstance(last, Kernel)
    x_BTD = torch.randn(B, T, D)
    _, (below, before) = stack(torch.randn(B, 3, D), stack.initial_state(B))
    signals = stack.signals(x_BTD, (below, before))
    for t, x_BD in enumerate(stack.norms[0](first(x_BTD, below)[0]).unbind(1)):
        given = [
            given_BD @ last.get_parameter(f"weight_{part}_l0").T + last.get_parameter(f"bias_{part}_l0")
            for part, given_BD in (("ih", x_BD), ("hh", before[0]))
        ]
        gates, before = last.gates(*given), last.equation(given[0], given[1], before)
        assert signals.keys() == {"hidden", *gates}
        for name, expected_BD in {"hidden": before[0], **gates}.items():
            torch.testing.assert_close(signals[name][:, t], expected_BD, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("model", "gates"), [("rnn", []), ("gru", ["reset", "update", "candidate"])])
@pytest.mark.parametrize("role", Role)
def test_signals_of_other_roles_are_those_of_the_model_that_reads_forwards(
    model: str, gates: list[str], role: Role
) -> None:
    """A source that is there moves them; what an encoder reads backwards is not in them."""
    reader = tiny_config(model, "char_lm", "model.attention=dot").model.build(role)
    x_BTD, ones_BS = torch.randn(B, T, D), torch.ones(B, 3, dtype=torch.bool)
    seen = []
    for scale in (0.0, 1.0):
        source = scale * torch.ones(B, 3, D)
        memory = Memory(source, ones_BS, source[:, -1]) if role is Role.CROSS_DECODER else None
        seen.append(reader.signals(x_BTD, reader.initial_state(B), memory=memory))
        assert list(seen[-1]) == ["hidden", *gates]
        assert {value_BTD.shape for value_BTD in seen[-1].values()} == {x_BTD.shape}
    assert torch.equal(seen[0]["hidden"], seen[1]["hidden"]) == (role is not Role.CROSS_DECODER)
    early = reader.signals(x_BTD[:, :3], reader.initial_state(B), memory=memory)
    torch.testing.assert_close(early["hidden"], seen[1]["hidden"][:, :3])


@torch.no_grad()
def _counter() -> LSTM:
    """Its forget and input gates are open, and it adds 1/512 to its cell at each step."""
    layer = LSTM(4, 4, batch_first=True)
    for parameter in layer.parameters():
        parameter.zero_()
    layer.get_parameter("bias_ih_l0").copy_(torch.tensor([20.0, 20.0, 1 / 512, 20.0]).repeat_interleave(4))
    return layer


@pytest.mark.parametrize("has_kernel", [True, False])
def test_in_bf16_the_cell_of_an_lstm_is_summed_in_fp32(has_kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two windows of 1,024 steps come to 4: in bf16 a cell of 0.5 would not grow any more. A CPU without the kernel has
    all of the layer in fp32."""
    if not has_kernel:
        monkeypatch.setattr("seqlab.models.lstm._has_bf16_kernel", lambda: False)
    layer = _counter()
    state = layer.initial_state(2)
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16):
            y_BTH, state = layer(torch.zeros(2, 1024, 4), state)
    _, cell_BH = cast("tuple[Tensor, Tensor]", state)
    assert cell_BH.dtype == torch.float32
    assert float(cell_BH[0, 0].detach()) == pytest.approx(4.0, rel=1e-3)
    assert (y_BTH.dtype == torch.bfloat16) == (has_kernel and _has_bf16_kernel())


def test_in_bf16_an_lstm_has_nearly_the_gradients_of_fp32() -> None:
    torch.manual_seed(0)
    layer = LSTM(16, 16, batch_first=True)
    layer.initialise()
    given = (torch.randn(3, 40, 16), 0.1 * torch.randn(3, 16), torch.randn(3, 16))
    found = []
    for autocast in (False, True):
        x_BTD, h_BH, c_BH = leaves = [part.clone().requires_grad_() for part in given]
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            y_BTH, after = layer(x_BTD, (h_BH, c_BH))
        after_h_BH, after_c_BH = cast("tuple[Tensor, Tensor]", after)
        loss = y_BTH.float().square().sum() + after_h_BH.float().sum() + after_c_BH.square().sum()
        found.append(torch.autograd.grad(loss, [*leaves, *layer.parameters()]))
    for exact, rounded in zip(*found, strict=True):
        assert float((exact - rounded).norm() / exact.norm()) < 0.02


@pytest.mark.parametrize("model", RECURRENT)
def test_recurrent_weights_start_orthogonal(model: str) -> None:
    stack = tiny_config(model, "char_lm").model.build(Role.DECODER)
    for name, parameter in stack.named_parameters():
        if "weight_hh" in name:
            for block_DD in parameter.split(D):  # of each gate
                torch.testing.assert_close(block_DD @ block_DD.T, torch.eye(D), rtol=1e-4, atol=1e-5)


def _rnn(*overrides: str) -> RecurrentStack:
    torch.manual_seed(0)
    stack = tiny_config("rnn", "char_lm", *overrides).model.build(Role.DECODER)
    assert isinstance(stack, RecurrentStack)
    return stack


def test_a_gain_scales_recurrent_weights_alone_and_draws_nothing() -> None:
    """With 1, the default, every bit is as if there were no gain."""
    plain, same, scaled = _rnn(), _rnn("model.recurrent_gain=1.0"), _rnn("model.recurrent_gain=1.5")
    torch.manual_seed(0)
    kernels_alone = kernels(RNN, 2, D)
    for kernel, drawn in zip(plain.kernels, kernels_alone, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(kernel.parameters(), drawn.parameters(), strict=True))
    for (name, parameter), other, larger in zip(
        plain.named_parameters(), same.parameters(), scaled.parameters(), strict=True
    ):
        assert torch.equal(parameter, other)
        assert torch.equal(larger, parameter * (1.5 if "weight_hh" in name else 1.0))
    norms = torch.linalg.svdvals(scaled.kernels[0].get_parameter("weight_hh_l0"))
    torch.testing.assert_close(norms, torch.full((D,), 1.5))


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


@pytest.mark.parametrize("model", RECURRENT)
def test_a_norm_inside_stands_at_every_step(model: str) -> None:
    """Written out: b + g * (a - mean) / std of what comes from the input, and of what comes from the state."""
    stack = tiny_config(model, "char_lm", "model.layers=1", "model.cell_norm=true").model.build(Role.DECODER)
    assert isinstance(stack, RecurrentStack)
    for parameter in stack.parameters():
        nn.init.normal_(parameter, std=0.3)
    kernel = _kernel(stack)

    def normalised(part: str, given_BD: Tensor) -> Tensor:
        a_BG = given_BD @ kernel.get_parameter(f"weight_{part}_l0").T
        centred_BG = a_BG - a_BG.mean(-1, keepdim=True)
        scale_B1 = (centred_BG.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        gain_G = kernel.get_parameter(f"norm_{part}.weight")
        return kernel.get_parameter(f"bias_{part}_l0") + gain_G * centred_BG / scale_B1

    x_BTD = torch.randn(B, T, D)
    before = cast(tuple[Tensor, ...], kernel.initial_state(B))
    y_BTD, (after,) = stack(x_BTD, (before,))
    for t, x_BD in enumerate(x_BTD.unbind(1)):
        before = kernel.equation(normalised("ih", x_BD), normalised("hh", before[0]), before)
        torch.testing.assert_close(y_BTD[:, t], before[0], rtol=1e-5, atol=1e-5)
    for found, expected in zip(after, before, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_with_a_norm_inside_the_size_of_recurrent_weights_does_not_matter() -> None:
    """Which is how it helps against gradients that explode."""
    x_BTD = torch.randn(B, T, D)
    plain, large = (_rnn("model.cell_norm=true", f"model.recurrent_gain={gain}") for gain in (1.0, 2.0))
    torch.testing.assert_close(
        *(stack(x_BTD, stack.initial_state(B))[0] for stack in (plain, large)), rtol=1e-3, atol=1e-3
    )
