"""Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers 2000).

B batch, D width, H hidden size, G = 4H: the gates in torch's order, input, forget, candidate, output.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.layers.kernels import Kernel, KernelConfig


def lstm_gates(from_x_BG: Tensor, from_h_BG: Tensor) -> dict[str, Tensor]:
    """Each gate's activation (..., H), given W_xh x_t + b_xh and W_hh h_{t-1} + b_hh, (..., G), of one step or many."""
    i, f, g, o = (from_x_BG + from_h_BG).chunk(4, dim=-1)
    return {
        "input": i.sigmoid(),  # i_t = sigmoid(W_xi x_t + W_hi h_{t-1} + b_i)
        "forget": f.sigmoid(),  # f_t = sigmoid(W_xf x_t + W_hf h_{t-1} + b_f)
        "candidate": g.tanh(),  # g_t = tanh(W_xg x_t + W_hg h_{t-1} + b_g)
        "output": o.sigmoid(),  # o_t = sigmoid(W_xo x_t + W_ho h_{t-1} + b_o)
    }


def lstm_step(from_x_BG: Tensor, from_h_BG: Tensor, before: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """One step of the equations that the fused kernel computes: the next (h_BH, c_BH), from those before."""
    gates = lstm_gates(from_x_BG, from_h_BG)
    _, c_BH = before
    # c_t = f_t * c_{t-1} + i_t * g_t: the sum along which gradients need not vanish
    c_BH = torch.addcmul(gates["forget"] * c_BH, gates["input"], gates["candidate"])
    return gates["output"] * c_BH.tanh(), c_BH  # h_t = o_t * tanh(c_t)


def lstm_kernel(layer: nn.LSTM, x_BTD: Tensor, before: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """torch's kernel: (h_BTH, the last h and c, each 1BH). In bf16 on a CPU the cell stays in fp32; autocast alone
    would round it at every step, and what a gate lets in would soon be too little to change it."""
    if not (x_BTD.device.type == "cpu" and torch.is_autocast_enabled("cpu")):
        return nn.LSTM.forward(layer, x_BTD, before)
    with torch.autocast("cpu", enabled=False):
        if not _has_bf16_kernel():
            h_1BH, c_1BH = before
            return nn.LSTM.forward(layer, x_BTD.float(), (h_1BH.float(), c_1BH.float()))
        x_TBD, h_1BH, c_1BH = x_BTD.bfloat16().transpose(0, 1).contiguous(), before[0].bfloat16(), before[1].float()
        W_ih, W_hh, b_ih, b_hh = (weight.bfloat16() for weight in layer.all_weights[0])
        y_TBH, h_1BH, c_1BH, _ = torch.mkldnn_rnn_layer(
            x_TBD, W_ih, W_hh, b_ih, b_hh, h_1BH, c_1BH,
            reverse=False, batch_sizes=[], mode=2, hidden_size=layer.hidden_size, num_layers=1, has_biases=True,
            bidirectional=False, batch_first=False, train=torch.is_grad_enabled(),
        )  # fmt: skip
    return y_TBH.transpose(0, 1), (h_1BH, c_1BH)


def _has_bf16_kernel() -> bool:
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class LSTM(Kernel, nn.LSTM):  # type: ignore[misc]  # its forward is ours
    """One layer: torch's kernel and its equations."""

    fused = lstm_kernel
    blocks, remembers = 4, 2
    equation = staticmethod(lstm_step)
    gates = staticmethod(lstm_gates)
    meanings: ClassVar = {"forget": "Where a forget gate stays bright, the cell keeps its content."}

    @torch.no_grad()
    def initialise(self) -> None:
        super().initialise()
        hidden = self.hidden_size
        # forget-gate bias 1 keeps early gradients alive (Jozefowicz 2015)
        self.get_parameter("bias_ih_l0")[hidden : 2 * hidden].fill_(1.0)


@config_dataclass(frozen=True, kw_only=True)
class LSTMConfig(KernelConfig):
    """Settings of `model=lstm`."""

    def recurrences(self) -> list[Kernel]:
        return self.made(LSTM)
