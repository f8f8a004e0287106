"""Pre-norm residual blocks around layers that mix positions. B batch, T time, D width."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.core.fields import Count
from seqlab.core.model import Memory, SequenceModel, Step, from_table
from seqlab.core.state import State
from seqlab.layers.dropout import LockedDropout
from seqlab.layers.recurrent import RecurrentStack, StackConfig


@config_dataclass(frozen=True, kw_only=True)
class ResidualConfig(StackConfig):
    """Settings of a family of residual blocks; each family makes the mixers of its positions.

    feed_forward: hidden width of the feed-forward network after each mixer; null: none.
    """

    feed_forward: Count | None

    @abstractmethod
    def mixers(self) -> Sequence[SequenceModel]:
        """`layers` new mixers, each causal and of this width."""

    def stack(self) -> SequenceModel:
        blocks = [ResidualBlock(self, mixer) for mixer in self.mixers()]
        # the sum of the blocks is normalised once, at the end; blocks have dropout of their own
        return RecurrentStack(blocks, [*(nn.Identity() for _ in blocks[1:]), nn.LayerNorm(self.width)], dropout=0.0)

    def at_width(self, width: int) -> Iterator[Self]:
        """feed_forward keeps its ratio to the width."""
        hidden = self.feed_forward and max(1, round(self.feed_forward * width / self.width))
        yield replace(self, width=width, feed_forward=hidden)


class ResidualBlock(SequenceModel):
    """x + mixer(norm(x)), then, if set, x + feed_forward(norm(x)). The state is the mixer's.

    Norms are LayerNorm: unlike RMSNorm it has a fused kernel on a CPU too.
    """

    def __init__(self, config: ResidualConfig, mixer: SequenceModel) -> None:
        super().__init__()
        width, hidden = config.width, config.feed_forward
        self.norm = nn.LayerNorm(width)
        self.mixer = mixer
        self.feed_forward = (
            None
            if hidden is None
            else nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        )
        self.dropout = LockedDropout(config.dropout)

    @property
    def receptive_field(self) -> int | None:
        return self.mixer.receptive_field

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return self.mixer.initial_state(rows, capacity=capacity)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        mixed_BTD, state = self.mixer(self.norm(x_BTD), state, valid_BT=valid_BT, memory=memory)
        x_BTD = x_BTD + self.dropout(mixed_BTD)
        if self.feed_forward is not None:
            x_BTD = x_BTD + self.dropout(self.feed_forward(x_BTD))
        return x_BTD, state

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        """Uses the mixer's own prepared step, without a table, since the mixer reads normalised inputs."""
        mixer_step = self.mixer.start()

        def step(x_BD: Tensor, state: State, memory: Memory | None = None) -> tuple[Tensor, State]:
            mixed_BD, state = mixer_step(self.norm(x_BD), state, memory)
            x_BD = x_BD + mixed_BD
            return (x_BD if self.feed_forward is None else x_BD + self.feed_forward(x_BD)), state

        return from_table(step, inputs_VD)

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        """The signals of the mixer."""
        return self.mixer.signals(self.norm(x_BTD), state, valid_BT=valid_BT, memory=memory)
