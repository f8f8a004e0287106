"""A temporal convolutional network (Bai, Kolter & Koltun 2018): residual blocks of dilated causal convolutions.

B batch, T time, D width, K taps of a convolution.
"""

from __future__ import annotations

from typing import cast

from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from seqlab.core.fields import Count
from seqlab.core.model import Memory, SequenceModel, Step, from_table
from seqlab.core.state import State
from seqlab.layers.convolution import CausalConv
from seqlab.layers.dropout import LockedDropout
from seqlab.layers.recurrent import RecurrentStack, StackConfig


@config_dataclass(frozen=True, kw_only=True)
class TCNConfig(StackConfig):
    """Settings of `model=tcn`. A position sees 1 + 2 (kernel - 1) (2^layers - 1) positions, itself included.

    kernel: K. The i-th layer, counted from 0, has dilation 2^i.
    """

    kernel: Count

    def reaching(self, positions: int) -> str | None:
        """By the number of layers; with one tap, no number is enough."""
        doubled = -(-(positions - 1) // (2 * (self.kernel - 1))) if self.kernel > 1 else 0  # at least 2^layers - 1
        return f"model.layers={max(1, doubled.bit_length())}" if self.kernel > 1 else None

    def stack(self) -> SequenceModel:
        blocks = [TemporalBlock(self.width, self.kernel, 1 << layer, self.dropout) for layer in range(self.layers)]
        return RecurrentStack(blocks, [nn.Identity() for _ in blocks], dropout=0.0)


class TemporalBlock(SequenceModel):
    """relu(x + f(x)), f being two layers of a convolution with weight normalisation (Salimans & Kingma 2016),
    ReLU and dropout of whole features over time. The state holds the last inputs of both convolutions."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = CausalConv(width, kernel, dilation), CausalConv(width, kernel, dilation)
        for convolution in (self.first, self.second):
            weight_norm(convolution.convolution)  # w = g v / |v| for each output
        self.dropout = LockedDropout(dropout)

    @property
    def receptive_field(self) -> int:
        return self.first.receptive_field + self.second.receptive_field - 1

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return self.first.initial_state(rows), self.second.initial_state(rows)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        first, second = cast(tuple[State, State], state)
        y_BTD, first = self.first(x_BTD, first)
        y_BTD, second = self.second(self.dropout(F.relu(y_BTD)), second)
        return F.relu(x_BTD + self.dropout(F.relu(y_BTD))), (first, second)

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        """The steps of both convolutions, with weights normalised once."""
        first_step, second_step = self.first.start(), self.second.start()

        def step(x_BD: Tensor, state: State, _: Memory | None = None) -> tuple[Tensor, State]:
            first, second = cast(tuple[State, State], state)
            y_BD, first = first_step(x_BD, first)
            y_BD, second = second_step(F.relu(y_BD), second)
            return F.relu(x_BD + F.relu(y_BD)), (first, second)

        return from_table(step, inputs_VD)
