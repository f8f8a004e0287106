"""Causal convolution. B batch, T time, D width, K taps, S steps read: T and the K - 1 (times the dilation) before."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqlab.core.model import Memory, SequenceModel, Step, from_table
from seqlab.core.state import State


class CausalConv(SequenceModel):
    """y_t = b + sum over i < K of W_i x_{t - (K-1-i) * dilation}; with zeros before the first position.

    depthwise: each feature separately. The state holds the last (K-1) * dilation inputs. The weights are those of
    `convolution`, an nn.Conv1d.
    """

    def __init__(self, width: int, kernel: int, dilation: int = 1, *, depthwise: bool = False) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, width, kernel, dilation=dilation, groups=width if depthwise else 1)
        self.width, self.kernel, self.dilation, self.depthwise = width, kernel, dilation, depthwise

    @property
    def receptive_field(self) -> int:
        return 1 + (self.kernel - 1) * self.dilation

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return self.convolution.weight.new_zeros(rows, (self.kernel - 1) * self.dilation, self.width)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        """Padding at the right is read like anything else: it cannot affect what precedes it."""
        assert isinstance(state, Tensor)
        steps = x_BTD.shape[1]
        x_BTD = torch.cat((state, x_BTD), 1)
        y_BTD = self._depthwise(x_BTD) if self.depthwise else self.convolution(x_BTD.mT).mT
        return y_BTD, x_BTD[:, steps:]

    def _depthwise(self, x_BSD: Tensor) -> Tensor:
        weight_DK, bias_D = self.convolution.weight[:, 0], self.convolution.get_parameter("bias")
        x_BSD = x_BSD.to(torch.promote_types(x_BSD.dtype, weight_DK.dtype))
        y_BTD: Tensor = _Depthwise.apply(x_BSD, weight_DK.T.contiguous(), bias_D, self.dilation)  # type: ignore[no-untyped-call]
        return y_BTD

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        """A product of the last K inputs with the current weights."""
        bias_D = self.convolution.get_parameter("bias")
        weight_KDD = self.convolution.weight.permute(2, 1, 0).contiguous()  # taps, in (1 if depthwise), out

        def step(x_BD: Tensor, state: State, _: Memory | None = None) -> tuple[Tensor, State]:
            assert isinstance(state, Tensor)
            window_BCD = torch.cat((state, x_BD[:, None]), 1)
            taps_BKD = window_BCD[:, :: self.dilation]
            if self.depthwise:
                y_BD = (taps_BKD * weight_KDD[:, 0]).sum(1) + bias_D
            else:
                y_BD = torch.addmm(bias_D, taps_BKD.flatten(1), weight_KDD.flatten(0, 1))
            return y_BD, window_BCD[:, 1:]

        return from_table(step, inputs_VD)


class Unchanged(SequenceModel):
    """In place of a convolution: y_t = x_t. The state is empty."""

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return ()

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        return x_BTD, state

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        return from_table(lambda x_BD, state, _=None: (x_BD, state), inputs_VD)


def short_convolution(width: int, taps: int | None) -> SequenceModel:
    """The depthwise convolution in front of a recurrence (Gu & Dao 2023), or none if `taps` is None."""
    return Unchanged() if taps is None else CausalConv(width, taps, depthwise=True)


class _Depthwise(torch.autograd.Function):
    """One multiplication and addition in place for each tap: a third of the time of nn.Conv1d with groups, which is
    made for features in the second dimension (measured on a CPU, forward and backward)."""

    @staticmethod
    def forward(ctx: Any, x_BSD: Tensor, weight_KD: Tensor, bias_D: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x_BSD, weight_KD)
        ctx.dilation = dilation
        first_BTD, *later = _read_by_taps(x_BSD, len(weight_KD), dilation)
        y_BTD = torch.addcmul(bias_D, first_BTD, weight_KD[0])
        for x_BTD, tap_D in zip(later, weight_KD[1:], strict=True):
            y_BTD.addcmul_(x_BTD, tap_D)
        return y_BTD

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient_BTD: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x_BSD, weight_KD = ctx.saved_tensors
        for_x_BSD = torch.zeros_like(x_BSD)
        for for_x_BTD, tap_D in zip(_read_by_taps(for_x_BSD, len(weight_KD), ctx.dilation), weight_KD, strict=True):
            for_x_BTD.addcmul_(gradient_BTD, tap_D)
        taps = _read_by_taps(x_BSD, len(weight_KD), ctx.dilation)
        for_weight_KD = torch.stack([(gradient_BTD * x_BTD).sum((0, 1)) for x_BTD in taps])
        return for_x_BSD, for_weight_KD, gradient_BTD.sum((0, 1)), None


def _read_by_taps(x_BSD: Tensor, taps: int, dilation: int) -> list[Tensor]:
    """For each tap the (B, T, D) that it multiplies, a view."""
    steps = x_BSD.shape[1] - (taps - 1) * dilation
    return [x_BSD[:, tap * dilation : tap * dilation + steps] for tap in range(taps)]
