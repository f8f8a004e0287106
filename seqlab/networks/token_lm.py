"""A language model: it predicts each next token of running text.

Shape letters: B parallel streams, T time, D width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from seqlab.core.model import ModelConfig, Role, context_of
from seqlab.core.network import GeneratingNetwork, Parts, StepOutput, TokenStep
from seqlab.core.state import State
from seqlab.data.batches import UNSCORED, TokenBatch
from seqlab.data.vocabulary import ALPHABET
from seqlab.layers.embedding import TokenEmbedding, token_head


class TokenLM(GeneratingNetwork[TokenBatch]):
    """Embedding, a causal model, and a head that scores each next token. window: the number of tokens of a stream that
    training reads at once."""

    alphabet = ALPHABET

    def __init__(self, vocabulary_size: int, model: ModelConfig, window: int) -> None:
        super().__init__()
        self.window = window
        self.embed = TokenEmbedding(vocabulary_size, model.width)
        self.decoder = model.build(Role.DECODER)
        self.dropout = model.dropout_layer()
        self.head = token_head(self.embed, model.tie_embeddings)

    def parts(self) -> Parts:
        return Parts((self.embed,), (self.decoder,), (self.head,))

    def carries_state(self) -> bool:
        return self.decoder.carries_state()

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        """Cached, a model without recurrence keeps as many tokens as training read at once, so that each token is
        predicted from at least half as many before it, never from none."""
        return self.decoder.initial_state(rows, capacity=self._positions() if cached else 0)

    def _positions(self) -> int:
        """The most positions that the decoder read at once in training."""
        return min(self.window, context_of(self.decoder) or self.window)

    def forward(self, batch: TokenBatch, state: State) -> StepOutput:
        hidden_BTD, state = self.decoder(self.dropout(self.embed(batch.inputs_BT)), state)
        logits_BTV = self.head(self.dropout(hidden_BTD))
        loss = F.cross_entropy(
            logits_BTV.flatten(0, 1).float(),
            batch.targets_BT.flatten(),
            ignore_index=UNSCORED,
            reduction="sum",
        )
        return StepOutput(loss, state, logits_BTV)

    def start(self, batch: TokenBatch, capacity: int) -> tuple[TokenStep, State]:
        """The part of a step that depends only on its own token is tabulated for the whole vocabulary."""
        prompt = batch.inputs_BT.shape[1]
        state = self.decoder.initial_state(batch.size, capacity=min(prompt + capacity, self._positions()))
        if prompt:
            _, state = self.decoder(self.embed(batch.inputs_BT), state)
        decode = self.decoder.start(self.embed.table())
        # a contiguous transposed copy, which multiplies a single row faster
        W_DV, b_V = self.head.weight.T.contiguous(), self.head.bias

        def step(token_B: Tensor, state: State) -> tuple[Tensor, State]:
            hidden_BD, state = decode(token_B, state)
            return torch.addmm(b_V, hidden_BD, W_DV), state

        return step, state
