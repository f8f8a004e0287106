"""The gated recurrent unit (Cho 2014), in the form that cuDNN and torch compute.

B batch, D width, H hidden size, G = 3H: the gates in torch's order, reset, update, candidate.
"""

from __future__ import annotations

from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.interfaces import Role, SequenceModel
from seqlab.layers.recurrent import RecurrentConfig, RecurrentStack, initialise_gates
from seqlab.layers.roles import fill_role


def gru_step(x_BD: Tensor, h_BH: Tensor, W_xh: Tensor, W_hh: Tensor, b_xh_G: Tensor, b_hh_G: Tensor) -> Tensor:
    """One step of the equations that the fused kernel computes: the next h_BH.

    The reset gate stands outside the recurrent product (torch, cuDNN), so the two biases do not add up to one.
    """
    reset_x, update_x, candidate_x = (x_BD @ W_xh.T + b_xh_G).chunk(3, dim=-1)
    reset_h, update_h, candidate_h = (h_BH @ W_hh.T + b_hh_G).chunk(3, dim=-1)
    update_BH = (update_x + update_h).sigmoid()
    candidate_BH = (candidate_x + (reset_x + reset_h).sigmoid() * candidate_h).tanh()
    return (1 - update_BH) * candidate_BH + update_BH * h_BH  # h_t = (1 - z) * n + z * h_{t-1}


def _initialise(kernel: nn.RNNBase) -> None:
    initialise_gates(kernel, gates=3)


@config_dataclass(frozen=True, kw_only=True)
class GRUConfig(RecurrentConfig):
    """Settings of `model=gru`."""

    def build(self, role: Role) -> SequenceModel:
        return fill_role(lambda: RecurrentStack(nn.GRU, self, _initialise), role, self.width, self.attention)
