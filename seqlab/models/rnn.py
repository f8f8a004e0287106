"""The vanilla recurrent network (Elman 1990). B batch, D width, H hidden size."""

from __future__ import annotations

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.core.fields import Positive
from seqlab.layers.kernels import Kernel, KernelConfig


def rnn_step(from_x_BH: Tensor, from_h_BH: Tensor, _: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """One step of the equation that the fused kernel computes: the next (h_BH,), given W_xh x_t + b_xh and
    W_hh h_{t-1} + b_hh. The previous state enters only through the second."""
    return ((from_x_BH + from_h_BH).tanh(),)  # h_t = tanh(W_xh x_t + b_xh + W_hh h_{t-1} + b_hh)


class RNN(Kernel, nn.RNN):  # type: ignore[misc]  # its forward is ours
    """One layer: torch's kernel and its equation."""

    fused = nn.RNN.forward
    blocks = 1
    equation = staticmethod(rnn_step)


@config_dataclass(frozen=True, kw_only=True)
class RNNConfig(KernelConfig):
    """Settings of `model=rnn`.

    recurrent_gain: the orthogonal recurrent weights are multiplied by it at first. All singular values of W_hh are then
        this: above 1 gradients can explode, below 1 they vanish (Pascanu 2013, section 2.1).
    """

    recurrent_gain: Positive

    @torch.no_grad()
    def recurrences(self) -> list[Kernel]:
        made = self.made(RNN)
        for kernel in made:
            kernel.get_parameter("weight_hh_l0").mul_(self.recurrent_gain)
        return made
