"""Attention: the Transformer's heads and what recurrent decoders use.

Shape letters: B batch, T target time, S source time, D width, N heads, K width of a head (D = N K),
C capacity of a cache.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.core.attention import Attention, ReadHeads
from seqlab.core.model import Memory
from seqlab.core.state import State
from seqlab.layers.positions import rotate


def attention_formula(
    query_BNTK: Tensor, key_BNSK: Tensor, value_BNSK: Tensor, visible: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """softmax(Q K^T / sqrt(d_k)) V (Vaswani 2017, equation 1), written out; `visible` is False where a query must not
    attend, dropout the probability of dropping a weight."""
    weight_BNTS = attention_weights(query_BNTK, key_BNSK, visible)
    return F.dropout(weight_BNTS, dropout).to(value_BNSK.dtype) @ value_BNSK


def attention_scores(query_BNTK: Tensor, key_BNSK: Tensor, visible: Tensor | None = None) -> Tensor:
    """score_BNTS = Q K^T / sqrt(d_k): how similar query t is to key s; -inf where it must not attend."""
    score_BNTS = query_BNTK @ key_BNSK.mT / math.sqrt(query_BNTK.shape[-1])
    return score_BNTS if visible is None else score_BNTS.masked_fill(~visible, float("-inf"))


def attention_weights(query_BNTK: Tensor, key_BNSK: Tensor, visible: Tensor | None = None) -> Tensor:
    """weight_BNTS = softmax(Q K^T / sqrt(d_k)): how much position t attends to position s."""
    return _weights_of(attention_scores(query_BNTK, key_BNSK, visible))


def _weights_of(score_BNTS: Tensor) -> Tensor:
    return score_BNTS.softmax(-1, dtype=torch.promote_types(score_BNTS.dtype, torch.float32))


def _attend(
    query_BNTK: Tensor, key_BNSK: Tensor, value_BNSK: Tensor, visible: Tensor | None, *, causal: bool, dropout: float
) -> Tensor:
    """attention_formula by torch's fused kernel, except on a CPU in bf16: there the kernel's backward pass takes half
    of a step, and plain products are faster. causal: query t sees keys up to t."""
    if query_BNTK.dtype != torch.bfloat16 or query_BNTK.device.type != "cpu":
        return F.scaled_dot_product_attention(
            query_BNTK, key_BNSK, value_BNSK, attn_mask=visible, dropout_p=dropout, is_causal=causal
        )
    if causal:
        visible = torch.ones(query_BNTK.shape[-2], key_BNSK.shape[-2], dtype=torch.bool).tril()
    return attention_formula(query_BNTK, key_BNSK, value_BNSK, visible, dropout)


def _split_heads(x_BTD: Tensor, heads: int) -> Tensor:
    return x_BTD.reshape(*x_BTD.shape[:2], heads, -1).transpose(1, 2)


def _join_heads(x_BNTK: Tensor) -> Tensor:
    return x_BNTK.transpose(1, 2).flatten(2)


def _read_heads(output: nn.Linear, heads: int) -> ReadHeads:
    """The layer that reads joined heads, each as wide."""
    width = output.in_features // heads
    return ReadHeads(output, [slice(head * width, (head + 1) * width) for head in range(heads)])


class SelfAttention(Attention):
    """Multi-head attention of a sequence to itself (Vaswani 2017, section 3.2.2)."""

    def __init__(self, width: int, heads: int, dropout: float, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.dropout, self.causal = heads, dropout, causal
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(
        self, x_BTD: Tensor, cache: State, offset: int, rotation_TK: Tensor | None, valid_BT: Tensor | None
    ) -> Tensor:
        """x_BTD stands at positions `offset` and on. `cache`, if not (), is (key_BNCK, value_BNCK) with the
        first `offset` positions filled; the new ones are written into it. Causal attention needs no mask for padding at
        the right: earlier positions do not see it."""
        query_BNTK, key_BNSK, value_BNSK = self._project(x_BTD, rotation_TK)
        steps, end = x_BTD.shape[1], offset + x_BTD.shape[1]
        if cache != ():
            keys_BNCK, values_BNCK = cache
            assert isinstance(keys_BNCK, Tensor)
            assert isinstance(values_BNCK, Tensor)
            keys_BNCK[:, :, offset:end] = key_BNSK
            values_BNCK[:, :, offset:end] = value_BNSK
            key_BNSK, value_BNSK = keys_BNCK[:, :, :end], values_BNCK[:, :, :end]
        mask = None
        if not self.causal and valid_BT is not None:
            mask = valid_BT[:, None, None, :]
        elif self.causal and offset > 0 and steps > 1:
            mask = x_BTD.new_ones(steps, end, dtype=torch.bool).tril(offset)
        y_BNTK = _attend(
            query_BNTK,
            key_BNSK,
            value_BNSK,
            mask,
            causal=self.causal and offset == 0 and steps > 1,
            dropout=self.dropout if self.training else 0.0,
        )
        y_BTD: Tensor = self.output(_join_heads(y_BNTK))
        return y_BTD

    def _project(self, x_BTD: Tensor, rotation_TK: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Each head's queries, keys and values."""
        query_BNTK, key_BNSK, value_BNSK = (
            _split_heads(part_BTD, self.heads) for part_BTD in self.query_key_value(x_BTD).chunk(3, -1)
        )
        if rotation_TK is not None:
            query_BNTK, key_BNSK = rotate(query_BNTK, rotation_TK), rotate(key_BNSK, rotation_TK)
        return query_BNTK, key_BNSK, value_BNSK

    def scores(
        self, x_BTD: Tensor, cache: State, offset: int, rotation_TK: Tensor | None, valid_BT: Tensor | None
    ) -> Tensor:
        if cache != () or offset:
            raise ValueError("attention weights are available only for a sequence read at once, without a cache")
        query_BNTK, key_BNSK, _ = self._project(x_BTD, rotation_TK)
        visible = None
        if self.causal:
            visible = x_BTD.new_ones(x_BTD.shape[1], x_BTD.shape[1], dtype=torch.bool).tril()
        elif valid_BT is not None:
            visible = valid_BT[:, None, None, :]
        return attention_scores(query_BNTK, key_BNSK, visible)

    def weights(
        self, x_BTD: Tensor, cache: State, offset: int, rotation_TK: Tensor | None, valid_BT: Tensor | None
    ) -> Tensor:
        return _weights_of(self.scores(x_BTD, cache, offset, rotation_TK, valid_BT))

    def read_heads(self) -> ReadHeads:
        return _read_heads(self.output, self.heads)


class CrossAttention(Attention):
    """Multi-head attention of a target to its source."""

    across = True

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def keys_values(self, memory: Memory) -> tuple[Tensor, Tensor]:
        """The source's (key_BNSK, value_BNSK): computed once per source, however many steps attend to it."""
        key_BSD, value_BSD = self.key_value(memory.values_BSD).chunk(2, -1)
        return _split_heads(key_BSD, self.heads), _split_heads(value_BSD, self.heads)

    def forward(self, x_BTD: Tensor, source: tuple[Tensor, Tensor], valid_BS: Tensor) -> Tensor:
        y_BNTK = _attend(
            _split_heads(self.query(x_BTD), self.heads),
            *source,
            valid_BS[:, None, None, :],
            causal=False,
            dropout=self.dropout if self.training else 0.0,
        )
        y_BTD: Tensor = self.output(_join_heads(y_BNTK))
        return y_BTD

    def scores(self, x_BTD: Tensor, source: tuple[Tensor, Tensor], valid_BS: Tensor) -> Tensor:
        return attention_scores(_split_heads(self.query(x_BTD), self.heads), source[0], valid_BS[:, None, None, :])

    def weights(self, x_BTD: Tensor, source: tuple[Tensor, Tensor], valid_BS: Tensor) -> Tensor:
        return _weights_of(self.scores(x_BTD, source, valid_BS))

    def read_heads(self) -> ReadHeads:
        return _read_heads(self.output, self.heads)


class SourceAttention(Attention, ABC):
    """A recurrent decoder's attention to its source: y = h + W [context; h].

    Luong 2015 (equation 5) has tanh(W [context; h]). That tanh saturates within 50 steps of Adam at a
    learning rate of 0.003, and learning stops; with the residual path it does not.
    """

    across = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(2 * width, width)

    @abstractmethod
    def score(self, query_BTD: Tensor, values_BSD: Tensor) -> Tensor:
        """score_BTS: how well source position s matches target position t."""

    def scores(self, query_BTD: Tensor, memory: Memory) -> Tensor:
        """score_B1TS: -inf at padding; there is one head."""
        score_BTS = self.score(query_BTD, memory.values_BSD)
        return score_BTS.masked_fill(~memory.valid_BS[:, None], float("-inf"))[:, None]

    def weights(self, query_BTD: Tensor, memory: Memory) -> Tensor:
        """weight_B1TS: the scores, softmaxed."""
        return self.scores(query_BTD, memory).softmax(-1)

    def read_heads(self) -> ReadHeads:
        return ReadHeads(self.mix, [slice(0, self.mix.in_features // 2)])

    def forward(self, query_BTD: Tensor, memory: Memory) -> Tensor:
        weight_BTS = self.weights(query_BTD, memory)[:, 0].to(memory.values_BSD.dtype)
        context_BTD = weight_BTS @ memory.values_BSD
        return query_BTD + cast(Tensor, self.mix(torch.cat((context_BTD, query_BTD), -1)))


class DotAttention(SourceAttention):
    """score = h_t . h_s / sqrt(D): Luong 2015's `dot`, scaled as in Vaswani 2017 so that wide vectors do not saturate
    the softmax."""

    def score(self, query_BTD: Tensor, values_BSD: Tensor) -> Tensor:
        return query_BTD @ values_BSD.mT / math.sqrt(query_BTD.shape[-1])


class AdditiveAttention(SourceAttention):
    """score = v . tanh(W h_t + U h_s) (Bahdanau 2015)."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.energy = nn.Linear(width, 1, bias=False)

    def score(self, query_BTD: Tensor, values_BSD: Tensor) -> Tensor:
        energy_BTSD = (self.query(query_BTD)[:, :, None] + self.key(values_BSD)[:, None]).tanh()
        score_BTS: Tensor = self.energy(energy_BTSD).squeeze(-1)
        return score_BTS
