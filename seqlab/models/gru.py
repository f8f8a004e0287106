"""The gated recurrent unit (Cho 2014), in the form that cuDNN and torch compute.

B batch, D width, H hidden size, G = 3H: the gates in torch's order, reset, update, candidate.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.layers.kernels import Kernel, KernelConfig


def gru_gates(from_x_BG: Tensor, from_h_BG: Tensor) -> dict[str, Tensor]:
    """Each gate's activation (..., H), given W_xh x_t + b_xh and W_hh h_{t-1} + b_hh, (..., G), of one step or many.

    The reset gate stands outside the recurrent product (torch, cuDNN), so the two biases cannot be merged into one.
    """
    x_r, x_z, x_n = from_x_BG.chunk(3, dim=-1)
    h_r, h_z, h_n = from_h_BG.chunk(3, dim=-1)
    reset_BH = (x_r + h_r).sigmoid()  # r_t = sigmoid(W_xr x_t + b_xr + W_hr h_{t-1} + b_hr)
    return {
        "reset": reset_BH,
        "update": (x_z + h_z).sigmoid(),  # z_t = sigmoid(W_xz x_t + b_xz + W_hz h_{t-1} + b_hz)
        "candidate": (x_n + reset_BH * h_n).tanh(),  # n_t = tanh(W_xn x_t + b_xn + r_t * (W_hn h_{t-1} + b_hn))
    }


def gru_step(from_x_BG: Tensor, from_h_BG: Tensor, before: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """One step of the equations that the fused kernel computes: the next (h_BH,), from the one before."""
    gates = gru_gates(from_x_BG, from_h_BG)
    (h_BH,) = before
    update_BH = gates["update"]
    return ((1 - update_BH) * gates["candidate"] + update_BH * h_BH,)  # h_t = (1 - z_t) * n_t + z_t * h_{t-1}


class GRU(Kernel, nn.GRU):  # type: ignore[misc]  # its forward is ours
    """One layer: torch's kernel and its equations."""

    fused = nn.GRU.forward
    blocks = 3
    equation = staticmethod(gru_step)
    gates = staticmethod(gru_gates)
    meanings: ClassVar = {
        "update": "Where an update gate stays bright, the unit keeps its old state.",
        "reset": "Where a reset gate is dark, the candidate ignores the old state.",
    }


@config_dataclass(frozen=True, kw_only=True)
class GRUConfig(KernelConfig):
    """Settings of `model=gru`."""

    def recurrences(self) -> list[Kernel]:
        return self.made(GRU)
