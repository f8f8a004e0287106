"""Causal convolution. B batch, T time, D width, K taps."""

from __future__ import annotations

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

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return self.convolution.weight.new_zeros(rows, (self.kernel - 1) * self.dilation, self.width)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        """Padding at the right is read like anything else: it cannot affect what precedes it."""
        assert isinstance(state, Tensor)
        steps = x_BTD.shape[1]
        x_BTD = torch.cat((state, x_BTD), 1)
        y_BTD: Tensor = self.convolution(x_BTD.mT).mT
        return y_BTD, x_BTD[:, steps:]

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
