"""Give any causal sequence model the other two roles. B batch, T target time, S source time, D width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from seqlab.core.model import Memory, Role, SequenceModel, Step, from_table, last_valid, required
from seqlab.core.state import State
from seqlab.layers.attention import AdditiveAttention, DotAttention


def fill_role(
    make_causal: Callable[[], SequenceModel],
    role: Role,
    width: int,
    attention: Literal["none", "additive", "dot"] = "dot",
) -> SequenceModel:
    """A model for `role`, built from causal ones (`make_causal` is called once for each).

    ENCODER reads in two directions; CROSS_DECODER is given the source's fixed vector at each step and, unless
    `attention` is none, attends to the whole source.
    """
    if role is Role.ENCODER:
        return Bidirectional(make_causal(), make_causal(), width)
    if role is Role.CROSS_DECODER:
        return ConditionedDecoder(make_causal(), width, attention)
    return make_causal()


class Bidirectional(SequenceModel):
    """One causal model from left to right, one from right to left, their outputs projected back to D."""

    def __init__(self, ahead: SequenceModel, back: SequenceModel, width: int) -> None:
        super().__init__()
        self.ahead, self.back = ahead, back
        self.merge = nn.Linear(2 * width, width)

    @property
    def receptive_field(self) -> int | None:
        return self.ahead.receptive_field

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        """Always (): a model that reads whole sequences has no state to carry."""
        return ()

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        return self._read(x_BTD, valid_BT)[0], ()

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        """The signals of the model that reads from left to right."""
        return self.ahead.signals(x_BTD, self.ahead.initial_state(len(x_BTD)), valid_BT=valid_BT)

    def encode(self, x_BSD: Tensor, valid_BS: Tensor) -> Memory:
        """The fixed vector merges the outputs of both directions after each has read everything."""
        values_BSD, ahead_BSD, mirrored_BSD = self._read(x_BSD, valid_BS)
        ends = (last_valid(ahead_BSD, valid_BS), last_valid(mirrored_BSD, valid_BS))
        return Memory(values_BSD, valid_BS, self.merge(torch.cat(ends, -1)))

    def _read(self, x_BTD: Tensor, valid_BT: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """(both directions merged, left to right, right to left still in mirrored time)."""
        mirror_BTD = _mirror(x_BTD, valid_BT)
        ahead_BTD, _ = self.ahead(x_BTD, self.ahead.initial_state(len(x_BTD)))
        back_BTD, _ = self.back(x_BTD.gather(1, mirror_BTD), self.back.initial_state(len(x_BTD)))
        merged_BTD = self.merge(torch.cat((ahead_BTD, back_BTD.gather(1, mirror_BTD)), -1))
        return merged_BTD, ahead_BTD, back_BTD


def _mirror(x_BTD: Tensor, valid_BT: Tensor | None) -> Tensor:
    """For each row the index that reverses its valid part and leaves its padding in place."""
    rows, steps, _ = x_BTD.shape
    at_T = torch.arange(steps, device=x_BTD.device)
    length_B1 = at_T.new_full((rows, 1), steps) if valid_BT is None else valid_BT.sum(1, keepdim=True)
    return torch.where(at_T < length_B1, length_B1 - 1 - at_T, at_T)[..., None].expand_as(x_BTD)


class ConditionedDecoder(SequenceModel):
    """A causal model conditioned on a source: on its fixed vector at every step (Cho 2014) and, after the recurrent
    kernel, by attention. After, not before, so that the fused kernel can read the whole sequence."""

    def __init__(self, causal: SequenceModel, width: int, attention: Literal["none", "additive", "dot"]) -> None:
        super().__init__()
        self.causal = causal
        self.condition = nn.Linear(width, width)
        readers = {"additive": AdditiveAttention, "dot": DotAttention}
        self.attend = readers[attention](width) if attention != "none" else None

    @property
    def receptive_field(self) -> int | None:
        """Of the target; the source is read whole."""
        return self.causal.receptive_field

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return self.causal.initial_state(rows, capacity=capacity)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        memory = required(memory)
        y_BTD, state = self.causal(x_BTD + self.condition(memory.final_BD)[:, None], state, valid_BT=valid_BT)
        return (y_BTD if self.attend is None else self.attend(y_BTD, memory)), state

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        """The signals of the causal model."""
        x_BTD = x_BTD + self.condition(required(memory).final_BD)[:, None]
        return self.causal.signals(x_BTD, state, valid_BT=valid_BT)

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        """Uses the causal model's own prepared step, without a table: the source's vector is added to each input, so
        that inputs differ from row to row."""
        causal_step = self.causal.start()

        def step(x_BD: Tensor, state: State, memory: Memory | None = None) -> tuple[Tensor, State]:
            memory = required(memory)
            y_BD, state = causal_step(x_BD + self.condition(memory.final_BD), state)
            return (y_BD if self.attend is None else self.attend(y_BD[:, None], memory)[:, 0]), state

        return from_table(step, inputs_VD)
