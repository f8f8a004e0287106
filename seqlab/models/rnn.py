"""The vanilla recurrent network (Elman 1990). B batch, D width, H hidden size."""

from __future__ import annotations

from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.core.model import Role, SequenceModel
from seqlab.layers.recurrent import RecurrentConfig, RecurrentStack, initialise_gates
from seqlab.layers.roles import fill_role


def rnn_step(from_x_BH: Tensor, from_h_BH: Tensor, _: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """One step of the equation that the fused kernel computes: the next (h_BH,), given W_xh x_t + b_xh and
    W_hh h_{t-1} + b_hh. What was before counts only through the second."""
    return ((from_x_BH + from_h_BH).tanh(),)  # h_t = tanh(W_xh x_t + b_xh + W_hh h_{t-1} + b_hh)


def _initialise(kernel: nn.RNNBase) -> None:
    initialise_gates(kernel, gates=1)


@config_dataclass(frozen=True, kw_only=True)
class RNNConfig(RecurrentConfig):
    """Settings of `model=rnn`."""

    def build(self, role: Role) -> SequenceModel:
        return fill_role(lambda: RecurrentStack(nn.RNN, self, _initialise, rnn_step), role, self.width, self.attention)
