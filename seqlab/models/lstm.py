"""Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers 2000).

B batch, D width, H hidden size, G = 4H: the gates in torch's order, input, forget, candidate, output.
"""

from __future__ import annotations

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.interfaces import Role, SequenceModel
from seqlab.layers.recurrent import RecurrentConfig, RecurrentStack, initialise_gates
from seqlab.layers.roles import fill_role


def lstm_step(
    x_BD: Tensor, h_BH: Tensor, c_BH: Tensor, W_xh: Tensor, W_hh: Tensor, b_G: Tensor
) -> tuple[Tensor, Tensor]:
    """One step of the equations that the fused kernel computes: the next (h_BH, c_BH)."""
    input_BH, forget_BH, candidate_BH, output_BH = (x_BD @ W_xh.T + h_BH @ W_hh.T + b_G).chunk(4, dim=-1)
    # c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g): the sum through which gradients pass unharmed
    c_BH = forget_BH.sigmoid() * c_BH + input_BH.sigmoid() * candidate_BH.tanh()
    return output_BH.sigmoid() * c_BH.tanh(), c_BH  # h_t = sigmoid(o) * tanh(c_t)


def _initialise(kernel: nn.RNNBase) -> None:
    initialise_gates(kernel, gates=4)
    hidden = kernel.hidden_size
    with torch.no_grad():
        # forget-gate bias 1 keeps early gradients alive (Jozefowicz 2015)
        kernel.get_parameter("bias_ih_l0")[hidden : 2 * hidden].fill_(1.0)


@config_dataclass(frozen=True, kw_only=True)
class LSTMConfig(RecurrentConfig):
    """Settings of `model=lstm`."""

    def build(self, role: Role) -> SequenceModel:
        return fill_role(lambda: RecurrentStack(nn.LSTM, self, _initialise), role, self.width, self.attention)
