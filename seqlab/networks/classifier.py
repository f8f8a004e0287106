"""Classifiers: one label for a whole sequence.

Shape letters: B batch, T time, D width, F features, C classes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.core.model import ModelConfig, Role, context_of, last_valid
from seqlab.core.network import Network, Parts, StepOutput, output_of
from seqlab.core.state import State
from seqlab.data.batches import LabelledBatch, LabelledFrames, LabelledT
from seqlab.errors import ConfigError
from seqlab.layers.embedding import TokenEmbedding

Pooling: TypeAlias = Literal["max", "mean", "last"]


class SequenceClassifier(Network[LabelledT]):
    """Embedding, a model, pooling over valid positions, and a linear layer. With a causal model, the pooling is carried
    in the state, so that a sequence may come in windows."""

    def __init__(
        self,
        make_embedding: Callable[[], nn.Module],
        classes: int,
        model: ModelConfig,
        *,
        pooling: Pooling,
        bidirectional: bool,
    ) -> None:
        """make_embedding: called once, makes the module that `vectors` uses."""
        super().__init__()
        self.embed = make_embedding()
        self.model = model.build(Role.ENCODER if bidirectional else Role.DECODER)
        # not the family's own dropout, which may drop features over time: pooled vectors have no time
        self.dropout = nn.Dropout(model.dropout)
        self.head = nn.Linear(model.width, classes)
        self.pooling, self.bidirectional, self.width = pooling, bidirectional, model.width

    @abstractmethod
    def vectors(self, batch: LabelledT, limit: int | None) -> Tensor:
        """x_BTD: the first `limit` positions of each sequence, embedded."""

    def parts(self) -> Parts:
        return Parts((self.embed,), (self.model,), (self.head,))

    def check_windows(self, steps: int) -> None:
        """Raise ConfigError unless a text can be read in windows: forwards only, and with a state."""
        what, remedy = f"trainer.bptt_steps={steps} cannot apply", "trainer.bptt_steps=null"
        if self.bidirectional:
            why = "task.bidirectional=true reads each text from its end as well"
            raise ConfigError(f"{what}: {why}", f"try task.bidirectional=false, or {remedy}")
        if not self.model.carries_state():
            why = "this model carries nothing from one window of a text to the next"
            raise ConfigError(f"{what}: {why}", f"try a recurrent model, or {remedy}")

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        like = self.head.weight
        start = float("-inf") if self.pooling == "max" else 0.0
        pooled_BD = like.new_full((rows, self.width), start)
        return (self.model.initial_state(rows), pooled_BD, like.new_zeros(rows, 1))

    def forward(self, batch: LabelledT, state: State) -> StepOutput:
        before, pooled_BD, seen_B1 = state
        assert isinstance(pooled_BD, Tensor)
        assert isinstance(seen_B1, Tensor)
        # a sequence longer than those of training is cut to their length
        limit = None if self.training else context_of(self.model)
        valid_BT = batch.valid_BT[:, :limit]
        x_BTD = self.dropout(self.vectors(batch, limit))
        hidden_BTD, after = self.model(x_BTD, before, valid_BT=valid_BT)
        pooled_BD, seen_B1 = self._pool(hidden_BTD.float(), valid_BT, pooled_BD, seen_B1)
        vector_BD = pooled_BD / seen_B1.clamp(min=1) if self.pooling == "mean" else pooled_BD
        logits_BC = self.head(self.dropout(vector_BD))
        nats_B = F.cross_entropy(logits_BC.float(), batch.labels_B, reduction="none")
        return StepOutput(nats_B.masked_fill(~batch.ends_B, 0.0).sum(), (after, pooled_BD, seen_B1), logits_BC)

    def _pool(self, hidden_BTD: Tensor, valid_BT: Tensor, pooled_BD: Tensor, seen_B1: Tensor) -> tuple[Tensor, Tensor]:
        valid_BT1, any_B1 = valid_BT[..., None], valid_BT.any(1, keepdim=True)
        if self.pooling == "max":
            highest_BD = hidden_BTD.masked_fill(~valid_BT1, float("-inf")).amax(1)
            pooled_BD = torch.maximum(pooled_BD, highest_BD)
        elif self.pooling == "mean":
            pooled_BD = pooled_BD + hidden_BTD.masked_fill(~valid_BT1, 0.0).sum(1)
        else:
            pooled_BD = torch.where(any_B1, last_valid(hidden_BTD, valid_BT), pooled_BD)
        return pooled_BD, seen_B1 + valid_BT.sum(1, keepdim=True)


class Classifier(SequenceClassifier[LabelledBatch]):
    """A classifier of texts as token ids."""

    def __init__(
        self, vocabulary_size: int, classes: int, model: ModelConfig, *, pooling: Pooling, bidirectional: bool
    ) -> None:
        super().__init__(
            lambda: TokenEmbedding(vocabulary_size, model.width), classes, model,
            pooling=pooling, bidirectional=bidirectional,
        )  # fmt: skip

    def vectors(self, batch: LabelledBatch, limit: int | None) -> Tensor:
        x_BTD: Tensor = self.embed(batch.tokens_BT[:, :limit])
        return x_BTD


class FrameClassifier(SequenceClassifier[LabelledFrames]):
    """A classifier of sequences of real-valued vectors, whose embedding is a linear layer."""

    def __init__(
        self, features: int, classes: int, model: ModelConfig, *, pooling: Pooling, bidirectional: bool
    ) -> None:
        super().__init__(
            lambda: nn.Linear(features, model.width), classes, model, pooling=pooling, bidirectional=bidirectional
        )

    def vectors(self, batch: LabelledFrames, limit: int | None) -> Tensor:
        x_BTD: Tensor = self.embed(batch.frames_BTF[:, :limit])
        return x_BTD


def probabilities(network: Network[LabelledT], batch: LabelledT) -> list[list[float]]:
    """For each row the probability of each class."""
    shares: list[list[float]] = output_of(network, batch).logits.float().softmax(-1).tolist()
    return shares
