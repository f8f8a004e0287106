"""A gated linear recurrence: minGRU (Feng 2024, "Were RNNs All We Needed?"), a GRU whose gate sees the input alone.

    f_t = sigmoid(W_f x_t + b_f)
    h_t = f_t * h_{t-1} + (1 - f_t) * (W x_t + b)

B batch, T time, D width.
"""

from __future__ import annotations

from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from seqlab.core.model import Memory, SequenceModel
from seqlab.core.state import State
from seqlab.layers.recurrent import RecurrentConfig
from seqlab.layers.scan import scan


@dataclass(frozen=True, kw_only=True)
class GatedLinearConfig(RecurrentConfig):
    """Settings of `model=gated_linear`: those of every recurrent family."""

    def recurrences(self) -> list[SequenceModel]:
        return [GatedLinear(self.width) for _ in range(self.layers)]


class GatedLinear(SequenceModel):
    """One layer, whose state is h_BD."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Linear(width, 2 * width)

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return self.project.weight.new_zeros(rows, self.width)

    def step(self, x_BD: Tensor, state: State, memory: Memory | None = None) -> tuple[Tensor, State]:
        assert isinstance(state, Tensor)
        forget_BD, new_BD = self._gated(x_BD)
        h_BD = forget_BD * state + new_BD
        return h_BD, h_BD

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        """All gates at once, then the recurrence. Padding stands at the right and reaches nothing before it."""
        assert isinstance(state, Tensor)
        h_BTD = scan(*self._gated(x_BTD), state)
        return h_BTD, h_BTD[:, -1]

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        return {**super().signals(x_BTD, state), "forget": self._gated(x_BTD)[0]}

    def _gated(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(f_t, (1 - f_t) * (W x_t + b)) of one position or many: neither needs the state."""
        gate, candidate = self.project(x).chunk(2, -1)
        forget = gate.sigmoid()
        return forget, (1 - forget) * candidate
