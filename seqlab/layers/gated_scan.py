"""A recurrence whose gates depend on the input only, so that all can be computed before the first state.

B batch, T time, D width, H state (D times the expansion), G all gates, concatenated.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, cast

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.core.fields import Count
from seqlab.core.model import Memory, SequenceModel, Step, from_table
from seqlab.core.state import State
from seqlab.layers.convolution import short_convolution
from seqlab.layers.residual import ResidualConfig
from seqlab.layers.scan import scan


@config_dataclass(frozen=True, kw_only=True)
class GatedScanConfig(ResidualConfig):
    """Settings of a family of such recurrences (Feng 2024).

    expansion: size of the state in units of the width. conv: taps of a depthwise causal convolution before the gates;
    null: none.
    """

    expansion: Count
    conv: Count | None


class GatedScan(SequenceModel):
    """Base of a family's mixer: h_t = a_t * h_{t-1} + b_t, projected back to D where it is expanded. The state is (the
    convolution's, h_BH)."""

    blocks: ClassVar[int]
    """The number of gates concatenated in the weight."""

    @staticmethod
    @abstractmethod
    def gates(from_x: Tensor, /) -> dict[str, Tensor]:
        """Each gate's activation (..., H) by name, given W x_t + b, (..., G), of one step or many."""

    @staticmethod
    @abstractmethod
    def terms(gates: dict[str, Tensor], /) -> tuple[Tensor, Tensor]:
        """(a_t, b_t), given the gates."""

    def __init__(self, config: GatedScanConfig) -> None:
        super().__init__()
        width, self.hidden = config.width, config.expansion * config.width
        self.convolution = short_convolution(width, config.conv)
        self.project = nn.Linear(width, self.blocks * self.hidden)
        self.output = nn.Linear(self.hidden, width) if self.hidden > width else nn.Identity()

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        h_BH = self.project.weight.new_zeros(rows, self.hidden)
        return self.convolution.initial_state(rows), h_BH

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        """Padding at the right is read like anything else: it cannot affect what precedes it."""
        _, h_BTH, tail = self._read(x_BTD, state)
        return self.output(h_BTH), (tail, h_BTH[:, -1])

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        """By the equation, without a scan."""
        convolve = self.convolution.start()

        def step(x_BD: Tensor, state: State, _: Memory | None = None) -> tuple[Tensor, State]:
            tail, h_BH = cast(tuple[State, Tensor], state)
            x_BD, tail = convolve(x_BD, tail)
            a_BH, b_BH = self.terms(self._gates(x_BD))
            h_BH = a_BH * h_BH + b_BH
            return self.output(h_BH), (tail, h_BH)

        return from_table(step, inputs_VD)

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        """The hidden state and each gate."""
        gates, h_BTH, _ = self._read(x_BTD, state)
        return {"hidden": h_BTH, **gates}

    def _read(self, x_BTD: Tensor, state: State) -> tuple[dict[str, Tensor], Tensor, State]:
        """(the gates, h_BTH, the convolution's state after it)."""
        tail, h_BH = cast(tuple[State, Tensor], state)
        x_BTD, tail = self.convolution(x_BTD, tail)
        gates = self._gates(x_BTD)
        return gates, scan(*self.terms(gates), h_BH), tail

    def _gates(self, x: Tensor) -> dict[str, Tensor]:
        """In fp32 even if the projection is not: bf16 would round away what a gate near 1 forgets in a step."""
        from_x = self.project(x)
        return self.gates(from_x.to(torch.promote_types(from_x.dtype, torch.float32)))
