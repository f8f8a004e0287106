"""The Transformer (Vaswani 2017) with pre-norm blocks (Xiong 2020).

Shape letters: B batch, T target time, S source time, D width, N heads, K width of a head, C capacity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, Self

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.core.fields import Count
from seqlab.core.model import Memory, ModelConfig, Role, SequenceModel, required
from seqlab.core.state import State
from seqlab.errors import ConfigError
from seqlab.layers.attention import CrossAttention, SelfAttention
from seqlab.layers.convolution import CausalConv
from seqlab.layers.embedding import ScaledEmbedding
from seqlab.layers.positions import rotations, sinusoids


@config_dataclass(frozen=True, kw_only=True)
class TransformerConfig(ModelConfig):
    """Settings of `model=transformer`.

    layers: the number of blocks. heads: N; must divide width.
    feed_forward: width of the feed-forward network's hidden layer.
    context: the most positions that it can read at once; also the number of learned positions.
    positions: rope (Su 2021), sinusoidal (Vaswani 2017), learned (GPT: Radford 2018) or none.
    conv: taps of a causal convolution that is added to the inputs of the first block (Mohamed 2019): each position then
    also sees those just before it, which attention has to learn to find; None: none.
    """

    layers: Count
    heads: Count
    feed_forward: Count
    context: Count
    positions: Literal["sinusoidal", "learned", "rope", "none"]
    conv: Count | None

    def __post_init__(self) -> None:
        if self.width % self.heads:
            divisors = [n for n in range(1, self.width + 1) if self.width % n == 0]
            nearest = min(divisors, key=lambda n: abs(n - self.heads))
            raise ValueError(
                f"model.heads={self.heads} must divide model.width={self.width}; try model.heads={nearest}"
            )
        if self.positions == "rope" and (self.width // self.heads) % 2:
            raise ValueError(
                f"model.positions=rope rotates pairs, so model.width={self.width} / model.heads={self.heads} must be "
                f"even; try model.width={2 * self.heads * math.ceil(self.width / (2 * self.heads))}"
            )

    def build(self, role: Role) -> SequenceModel:
        return Transformer(self, role)

    def at_width(self, width: int) -> Iterator[Self]:
        """The number of heads is kept; feed_forward keeps its ratio to the width within a third, since widths that the
        heads divide are far apart."""
        if width % self.heads or (self.positions == "rope" and (width // self.heads) % 2):
            return
        wanted = self.feed_forward * width / self.width
        for share in (*range(13), *range(14, 35, 2)):
            for sign in (1, -1) if share else (1,):
                yield replace(self, width=width, feed_forward=max(1, round(wanted * (1 + sign * share / 100))))


class Block(nn.Module):
    """x + attention(norm(x)), then the same with cross attention where there is a source, then with the
    feed-forward network: residual paths stay free of normalisation."""

    def __init__(self, config: TransformerConfig, role: Role) -> None:
        super().__init__()
        width, heads, dropout = config.width, config.heads, config.dropout
        self.norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, dropout, causal=role is not Role.ENCODER)
        self.cross_norm = nn.LayerNorm(width) if role is Role.CROSS_DECODER else None
        self.cross = CrossAttention(width, heads, dropout) if role is Role.CROSS_DECODER else None
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, config.feed_forward), nn.GELU(), nn.Linear(config.feed_forward, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x_BTD: Tensor,
        cache: State,
        offset: int,
        rotation_TK: Tensor | None,
        valid_BT: Tensor | None,
        memory: Memory | None,
    ) -> tuple[Tensor, State]:
        """(y_BTD, cache). A cache is (own keys and values, source's keys and values)."""
        own, source = cache if cache != () else ((), ())
        x_BTD = x_BTD + self.dropout(self.attention(self.norm(x_BTD), own, offset, rotation_TK, valid_BT))
        if self.cross is not None and self.cross_norm is not None:
            memory = required(memory)
            keys_values = self.cross.keys_values(memory) if source == () else source
            x_BTD = x_BTD + self.dropout(self.cross(self.cross_norm(x_BTD), keys_values, memory.valid_BS))
            source = keys_values if cache != () else ()
        x_BTD = x_BTD + self.dropout(self.feed_forward(self.feed_forward_norm(x_BTD)))
        return x_BTD, (own, source) if cache != () else ()


class Transformer(SequenceModel):
    """Positions, blocks, and a final normalisation.

    Its state is () in training: it carries nothing. With a capacity it is a cache: (the number of filled positions,
    their inputs, each block's keys and values). A full cache keeps its last half, which is read again from position 0,
    so that generation can continue without end within `model.context`.
    """

    def __init__(self, config: TransformerConfig, role: Role) -> None:
        super().__init__()
        self.heads, self.width = config.heads, config.width
        self.context: int = config.context
        self.convolution = None if config.conv is None else CausalConv(config.width, config.conv)
        self.blocks = nn.ModuleList(Block(config, role) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        # scaled like token vectors, or these would drown them out, and without the output factor they would hardly move
        self.positions = ScaledEmbedding(config.context, config.width) if config.positions == "learned" else None
        # buffers that are computed, not learned, stay out of checkpoints
        fixed = sinusoids(config.context, config.width) if config.positions == "sinusoidal" else None
        turns = rotations(config.context, config.width // config.heads) if config.positions == "rope" else None
        self.register_buffer("sinusoid_TD", fixed, persistent=False)
        self.register_buffer("rotation_TK", turns, persistent=False)
        self._initialise(config.layers)

    @torch.no_grad()
    def _initialise(self, layers: int) -> None:
        """Xavier weights and zero biases; what writes into the residual path is scaled by 1/sqrt(2 layers),
        so that its variance does not grow with depth (Radford 2019)."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif "norm" not in name and not name.startswith("positions"):
                nn.init.xavier_uniform_(parameter)
                if name.endswith(("output.weight", "feed_forward.2.weight")):
                    parameter.mul_((2 * layers) ** -0.5)

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        if capacity == 0:
            return ()
        capacity = min(capacity, self.context)
        like = self.norm.weight
        filled_B = torch.zeros(rows, dtype=torch.long, device=like.device)
        per_head = (rows, self.heads, capacity, self.width // self.heads)
        blocks = tuple(((like.new_zeros(per_head), like.new_zeros(per_head)), ()) for _ in self.blocks)
        return (filled_B, like.new_zeros(rows, capacity, self.width), blocks)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        if state == ():
            if x_BTD.shape[1] > self.context:
                raise ConfigError(
                    f"a sequence of {x_BTD.shape[1]} positions is longer than the {self.context} that this model may "
                    "read at once",
                    f"train it with model.context={x_BTD.shape[1]}, on sequences as long",
                )
            y_BTD, _ = self._blocks(self._convolved(x_BTD), tuple(() for _ in self.blocks), 0, valid_BT, memory)
            return y_BTD, ()
        return self._continue(x_BTD, state, memory)

    def _convolved(self, x_BTD: Tensor, first: int = 0) -> Tensor:
        """The inputs of the first block at positions `first` and on, given all since position 0."""
        if self.convolution is None:
            return x_BTD[:, first:]
        read = max(0, first - self.convolution.kernel + 1)
        y_BTD: Tensor = self.convolution(x_BTD[:, read:], self.convolution.initial_state(len(x_BTD)))[0]
        return x_BTD[:, first:] + y_BTD[:, first - read :]

    def _blocks(
        self, x_BTD: Tensor, caches: State, offset: int, valid_BT: Tensor | None, memory: Memory | None
    ) -> tuple[Tensor, State]:
        at = slice(offset, offset + x_BTD.shape[1])
        added_TD = self.position_vectors(at.stop)
        if added_TD is not None:
            x_BTD = x_BTD + added_TD[offset:]
        rotation_TK = self.rotation_TK[at] if isinstance(self.rotation_TK, Tensor) else None
        after: list[State] = []
        for block, cache in zip(self.blocks, caches, strict=True):
            x_BTD, cache = block(x_BTD, cache, offset, rotation_TK, valid_BT, memory)
            after.append(cache)
        return self.norm(x_BTD), tuple(after)

    def position_vectors(self, steps: int) -> Tensor | None:
        if self.positions is not None:
            return self.positions.table()[:steps]
        return self.sinusoid_TD[:steps] if isinstance(self.sinusoid_TD, Tensor) else None

    def _continue(self, x_BTD: Tensor, state: State, memory: Memory | None) -> tuple[Tensor, State]:
        """Read x_BTD in pieces that fit into what is left of the cache; the cache is written in place."""
        filled_B, inputs_BCD, caches = state
        assert isinstance(filled_B, Tensor)
        assert isinstance(inputs_BCD, Tensor)
        capacity, filled = inputs_BCD.shape[1], int(filled_B[0])
        outputs: list[Tensor] = []
        while x_BTD.shape[1]:
            if filled == capacity:
                filled = capacity // 2
                if filled:
                    inputs_BCD[:, :filled] = inputs_BCD[:, capacity - filled :].clone()
                    _, caches = self._blocks(self._convolved(inputs_BCD[:, :filled]), caches, 0, None, memory)
            piece_BTD, x_BTD = x_BTD[:, : capacity - filled], x_BTD[:, capacity - filled :]
            end = filled + piece_BTD.shape[1]
            inputs_BCD[:, filled:end] = piece_BTD
            y_BTD, caches = self._blocks(self._convolved(inputs_BCD[:, :end], filled), caches, filled, None, memory)
            outputs.append(y_BTD)
            filled = end
        return torch.cat(outputs, 1), (torch.full_like(filled_B, filled), inputs_BCD, caches)
