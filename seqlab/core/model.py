"""Sequence models, which map (B, T, D) to (B, T, D), and the roles in which tasks use them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum
from typing import ClassVar, NamedTuple, Protocol, Self

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.core.fields import Count, Probability
from seqlab.core.state import State, tensors


class Role(Enum):
    """How a task uses a sequence model."""

    ENCODER = "encoder"  # position t sees the whole sequence
    DECODER = "decoder"  # position t sees only positions <= t
    CROSS_DECODER = "cross_decoder"  # DECODER that also reads a Memory


class Memory(NamedTuple):
    """What an encoder hands to a CROSS_DECODER."""

    values_BSD: Tensor
    valid_BS: Tensor  # bool, False at padding
    final_BD: Tensor  # the whole source as one fixed vector


def required(memory: Memory | None) -> Memory:
    """The memory that a CROSS_DECODER must be given. Raises ValueError for None."""
    if memory is None:
        raise ValueError("a cross decoder needs the memory of its source")
    return memory


class Step(Protocol):
    """Reads one position of every row, x_BD or index_B into a table of inputs; returns (y_BD, the state after it)."""

    def __call__(self, x_B: Tensor, state: State, memory: Memory | None = None, /) -> tuple[Tensor, State]: ...


def from_table(step: Step, inputs_VD: Tensor | None) -> Step:
    """The step, for indices into a table of inputs; the step itself if there is no table."""
    if inputs_VD is None:
        return step
    table_VD = inputs_VD
    return lambda index_B, state, memory=None: step(table_VD.index_select(0, index_B), state, memory)


class SequenceModel(nn.Module, ABC):
    """Maps (B, T, D) to (B, T, D) and threads a State. Padding stands at the right of each row."""

    context: int | None = None
    """The longest sequence that it can read at once; None: any. A run's network is limited to the positions that
    training reaches (training/context.py): beyond them it has learned nothing."""
    meanings: ClassVar[Mapping[str, str]] = {}
    """What a picture says of some of its signals, by name: one sentence each."""

    @property
    def receptive_field(self) -> int | None:
        """The most positions that an output depends on, its own included (an encoder: in each direction); None: any
        number."""
        return None

    @abstractmethod
    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        """The state before the first position. capacity > 0 asks for a key/value cache of that many
        positions, so that a model without recurrence can go on where the last call stopped."""

    @abstractmethod
    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        """(y_BTD, the state after the last position). valid_BT is False at padding; None means none."""

    def step(self, x_BD: Tensor, state: State, memory: Memory | None = None) -> tuple[Tensor, State]:
        """(y_BD, the state after it) of one position: by `forward`, unless a family states its equation here."""
        y_BTD, state = self(x_BD[:, None], state, memory=memory)
        return y_BTD[:, 0], state

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        """`step`, prepared for many calls in evaluation: it may keep values computed from the current weights. Given a
        table of all possible inputs, it takes indices into it."""
        return from_table(self.step, inputs_VD)

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        """Values to inspect, by name, (B, T, ...) each: `hidden`, the values of its units, and others that a family
        has, such as its gates. The arguments are those of `forward`, whose output is `hidden` by default."""
        y_BTD, _ = self(x_BTD, state, valid_BT=valid_BT, memory=memory)
        return {"hidden": y_BTD}

    def position_vectors(self, steps: int) -> Tensor | None:
        """added_TD: what is added to the inputs at the first `steps` positions; None if nothing is."""
        return None

    def carries_state(self) -> bool:
        """Whether training passes a state from one window of a text to the next."""
        return any(True for _ in tensors(self.initial_state(1)))

    def encode(self, x_BSD: Tensor, valid_BS: Tensor) -> Memory:
        """Read whole sources. The fixed vector is the output at each row's last valid position."""
        values_BSD, _ = self(x_BSD, self.initial_state(len(x_BSD)), valid_BT=valid_BS)
        return Memory(values_BSD, valid_BS, last_valid(values_BSD, valid_BS))


def context_of(module: nn.Module) -> int | None:
    """The most positions that the sequence models of a module may read at once; None: any number."""
    contexts = (model.context for model in module.modules() if isinstance(model, SequenceModel))
    return min((context for context in contexts if context is not None), default=None)


def sequence_models(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, SequenceModel]]:
    """(dotted name, model) of each sequence model in a module that is not part of another."""
    for name, child in module.named_children():
        if isinstance(child, SequenceModel):
            yield prefix + name, child
        else:
            yield from sequence_models(child, f"{prefix}{name}.")


def readable_positions(module: nn.Module, trained: int) -> int | None:
    """The most positions of a sequence that the sequence models of a module, trained on sequences of `trained`
    positions, may read; None: any number. A receptive field that training did not fill would depend on inputs further
    back than any of training."""
    fields = (model.receptive_field for _, model in sequence_models(module))
    return trained if any(field is not None and field > trained for field in fields) else context_of(module)


def last_valid(values_BTD: Tensor, valid_BT: Tensor) -> Tensor:
    """Each row's values (B, D) at its last valid position (position 0 where a row has none)."""
    last_B = valid_BT.sum(1).clamp(min=1) - 1
    return values_BTD[torch.arange(len(values_BTD), device=values_BTD.device), last_B]


@config_dataclass(frozen=True, kw_only=True)
class ModelConfig(ABC):
    """Base of every model family's settings (its defaults stand in configs/model/*.yaml).

    width: D, the size of the vectors between embedding, layers and head.
    dropout: probability of zeroing, on embeddings, between layers and before the head.
    tie_embeddings: the head uses the (target) embedding as its weight.
    """

    width: Count
    dropout: Probability
    tie_embeddings: bool

    @abstractmethod
    def build(self, role: Role) -> SequenceModel:
        """A new model, initialised from torch's current random state."""

    def dropout_layer(self) -> nn.Module:
        """The dropout layer that suits this family, (B, T, D) to (B, T, D), with probability `dropout`. By default each
        element is dropped independently (Srivastava 2014)."""
        return nn.Dropout(self.dropout)

    def reaching(self, positions: int) -> str | None:
        """The override, KEY=VALUE, with which outputs depend on so many positions, for a family with a limited
        receptive field; None if there is none."""
        return None

    def at_width(self, width: int) -> Iterator[Self]:
        """These settings at another width, those that keep their proportions best first; none if the family cannot have
        that width. Size matching searches through them."""
        yield replace(self, width=width)
