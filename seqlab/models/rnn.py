"""The vanilla recurrent network (Elman 1990). B batch, D width, H hidden size."""

from __future__ import annotations

from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.layers.kernels import Kernel, kernels
from seqlab.layers.recurrent import RecurrentConfig


def rnn_step(from_x_BH: Tensor, from_h_BH: Tensor, _: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """One step of the equation that the fused kernel computes: the next (h_BH,), given W_xh x_t + b_xh and
    W_hh h_{t-1} + b_hh. What was before counts only through the second."""
    return ((from_x_BH + from_h_BH).tanh(),)  # h_t = tanh(W_xh x_t + b_xh + W_hh h_{t-1} + b_hh)


class RNN(Kernel, nn.RNN):  # type: ignore[misc]  # its forward is ours
    """One layer: torch's kernel, and what it computes."""

    fused = nn.RNN.forward
    blocks = 1
    equation = staticmethod(rnn_step)


@config_dataclass(frozen=True, kw_only=True)
class RNNConfig(RecurrentConfig):
    """Settings of `model=rnn`."""

    def recurrences(self) -> list[Kernel]:
        return kernels(RNN, self.layers, self.width)
