"""Token ids to vectors, and vectors to scores over tokens. B batch, T time, D width, V vocabulary."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ScaledEmbedding(nn.Embedding):
    """Embedding with entries of variance 1/D, multiplied by sqrt(D) on the way out (Vaswani 2017, section 3.4): its
    vectors have unit variance, and a step of Adam moves them sqrt(D) times as far as it would without the factor."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__(count, width)
        self.scale = math.sqrt(width)
        nn.init.normal_(self.weight, std=1 / self.scale)

    def forward(self, index_BT: Tensor) -> Tensor:
        return super().forward(index_BT) * self.scale

    def table(self) -> Tensor:
        """table_VD: every vector."""
        return self.weight * self.scale


class TokenEmbedding(ScaledEmbedding):
    """The vectors of tokens. Because of the scale, the head can use the same weight (Press & Wolf 2017)."""


def token_head(embedding: TokenEmbedding, tied: bool) -> nn.Linear:
    """The linear layer (D to V) that scores the next token; tied, it shares the embedding's weight."""
    head = nn.Linear(embedding.embedding_dim, embedding.num_embeddings)
    with torch.no_grad():
        head.bias.zero_()
        # small scores at the start: the first loss is that of a uniform guess, ln V
        head.weight.normal_(std=0.1 / embedding.scale)
    if tied:
        head.weight = embedding.weight
    return head
