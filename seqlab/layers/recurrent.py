"""Stacks of causal layers, and the settings that families of such stacks share.

B batch, T time, D width.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal, cast

from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.core.fields import Count
from seqlab.core.model import Memory, ModelConfig, Role, SequenceModel, Step
from seqlab.core.state import State
from seqlab.layers.dropout import LockedDropout
from seqlab.layers.roles import fill_role


@config_dataclass(frozen=True, kw_only=True)
class StackConfig(ModelConfig):
    """Settings of a family of stacked causal layers; each family makes its own stack.

    layers: the number of stacked layers.
    attention: how a decoder reads the source: `none` (the fixed vector alone: Cho 2014), `additive`
        (Bahdanau 2015) or `dot` (Luong 2015, scaled). Without effect on tasks that have no source.
    """

    layers: Count
    attention: Literal["none", "additive", "dot"]

    @abstractmethod
    def stack(self) -> SequenceModel:
        """A new causal model of this width."""

    def build(self, role: Role) -> SequenceModel:
        return fill_role(self.stack, role, self.width, self.attention)

    def dropout_layer(self) -> nn.Module:
        """Drops whole features: a state would average away noise that changes at each step."""
        return LockedDropout(self.dropout)


@config_dataclass(frozen=True, kw_only=True)
class RecurrentConfig(StackConfig):
    """Settings of a recurrent family; each family makes its own layers.

    layer_norm: normalise each layer's output, between layers; inside the recurrence it is `cell_norm` (KernelConfig).
    """

    layer_norm: bool

    @abstractmethod
    def recurrences(self) -> Sequence[SequenceModel]:
        """`layers` new layers, each causal and of this width."""

    def stack(self) -> SequenceModel:
        layers = self.recurrences()
        norms = [nn.LayerNorm(self.width) if self.layer_norm else nn.Identity() for _ in layers]
        return RecurrentStack(layers, norms, self.dropout)


class RecurrentStack(SequenceModel):
    """Stacked layers, each followed by its norm (which may be nn.Identity), with dropout between layers. The state is
    the tuple of their states."""

    def __init__(self, layers: Sequence[SequenceModel], norms: Sequence[nn.Module], dropout: float) -> None:
        super().__init__()
        self.kernels = nn.ModuleList(layers)
        self.norms = nn.ModuleList(norms)
        self.dropout = LockedDropout(dropout)

    @property
    def receptive_field(self) -> int | None:
        fields = [layer.receptive_field for layer in self._layers()]
        known = [field for field in fields if field is not None]
        return 1 + sum(field - 1 for field in known) if len(known) == len(fields) else None

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return tuple(layer.initial_state(rows, capacity=capacity) for layer in self._layers())

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        after: list[State] = []
        for layer, norm, before in zip(self.kernels, self.norms, state, strict=True):
            x_BTD = self.dropout(x_BTD) if after else x_BTD
            x_BTD, left = layer(x_BTD, before, valid_BT=valid_BT, memory=memory)
            after.append(left)
            x_BTD = norm(x_BTD)
        return x_BTD, tuple(after)

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        """Each layer uses its own prepared step."""
        if type(self).forward is not RecurrentStack.forward:  # a subclass's own forward may compute something else
            return super().start(inputs_VD)
        steps = [layer.start(None if place else inputs_VD) for place, layer in enumerate(self._layers())]
        norms = [None if isinstance(norm, nn.Identity) else norm for norm in self.norms]

        def step(x_B: Tensor, state: State, memory: Memory | None = None) -> tuple[Tensor, State]:
            after: list[State] = []
            for layer_step, norm, before in zip(steps, norms, state, strict=True):
                x_B, left = layer_step(x_B, before, memory)
                after.append(left)
                if norm is not None:
                    x_B = norm(x_B)
            return x_B, tuple(after)

        return step

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        """The signals of the last layer."""
        *below, last = self._layers()
        *states_below, before_last = cast(tuple[State, ...], state)
        for layer, norm, before in zip(below, self.norms, states_below, strict=False):
            x_BTD = self.dropout(norm(layer(x_BTD, before, valid_BT=valid_BT, memory=memory)[0]))
        return last.signals(x_BTD, before_last, valid_BT=valid_BT, memory=memory)

    def _layers(self) -> list[SequenceModel]:
        return cast(list[SequenceModel], list(self.kernels))
