"""An encoder-decoder: it reads something into a Memory, and writes tokens for it.

Shape letters: B batch, T target time, D width, V target vocabulary.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.core.example import Example
from seqlab.core.model import Memory, ModelConfig, Role, SequenceModel, context_of
from seqlab.core.network import GeneratingNetwork, Network, Parts, StepOutput, TokenStep
from seqlab.core.state import State
from seqlab.data.batches import PairBatch, TargetBatchT
from seqlab.data.vocabulary import ALPHABET, END, Vocabulary
from seqlab.decoding.search import best_sequence
from seqlab.layers.embedding import TokenEmbedding, token_head


class EncoderDecoder(GeneratingNetwork[TargetBatchT]):
    """An encoder, whatever it reads, and a decoder that writes the target (teacher forcing in training).

    A subclass implements `read`. encoder: makes the encoder; it is called when the encoder is to be initialised.
    embed_source: turns a source into vectors, if that is a separate module.
    """

    alphabet = ALPHABET
    embed_source: nn.Module | None
    encoder: nn.Module

    def __init__(
        self,
        targets: int,
        model: ModelConfig,
        encoder: Callable[[], nn.Module],
        *,
        embed_source: nn.Module | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.embed_source = embed_source
        self.embed_target = TokenEmbedding(targets, model.width)
        self.encoder, self.decoder = encoder(), model.build(Role.CROSS_DECODER)
        self.dropout = nn.Dropout(model.dropout)
        self.head = token_head(self.embed_target, model.tie_embeddings)

    @abstractmethod
    def read(self, batch: TargetBatchT) -> Memory:
        """The encoder's memory of a batch's sources."""

    def parts(self) -> Parts:
        """Any further parameters of a subclass count as body."""
        sources = () if self.embed_source is None else (self.embed_source,)
        embedding, body, head = (*sources, self.embed_target), (self.encoder, self.decoder), (self.head,)
        named = {id(p) for module in (*embedding, *body, *head) for p in module.parameters()}
        return Parts(embedding, (*body, *(p for p in self.parameters() if id(p) not in named)), head)

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        """() in training: every batch brings its own source. Cached, the decoder's state, so that a target longer than
        those of training is scored as it would be generated."""
        return self.decoder.initial_state(rows, capacity=context_of(self.decoder) or 0) if cached else ()

    def forward(self, batch: TargetBatchT, state: State) -> StepOutput:
        before_BT = F.pad(batch.target_BT[:, :-1], (1, 0), value=self.alphabet.start)
        x_BTD = self.dropout(self.embed_target(before_BT))
        before = self.decoder.initial_state(batch.size) if state == () else state
        hidden_BTD, after = self.decoder(x_BTD, before, memory=self.read(batch))
        logits_BTV = self.head(self.dropout(hidden_BTD))
        loss = F.cross_entropy(
            logits_BTV.flatten(0, 1).float(),
            batch.target_BT.flatten(),
            ignore_index=self.alphabet.pad,
            reduction="sum",
            # smoothed targets regularise training (Szegedy 2016); an evaluation reports the plain loss
            label_smoothing=self.label_smoothing if self.training else 0.0,
        )
        return StepOutput(loss, after if state != () else (), logits_BTV)

    def start(self, batch: TargetBatchT, capacity: int) -> tuple[TokenStep, State]:
        # no table of inputs: a vocabulary of words may be larger than the number of tokens ever written
        decode = self.decoder.start()

        def step(token_B: Tensor, state: State) -> tuple[Tensor, State]:
            memory, before = state
            assert isinstance(memory, tuple)
            hidden_BD, after = decode(self.embed_target(token_B), before, Memory(*memory))
            return self.head(hidden_BD), (memory, after)

        before = self.decoder.initial_state(batch.size, capacity=capacity)
        return step, (tuple(self.read(batch)), before)


class TokenEncoderDecoder(EncoderDecoder[PairBatch]):
    """An EncoderDecoder that reads tokens. sources, targets: the sizes of the two vocabularies."""

    embed_source: TokenEmbedding
    encoder: SequenceModel

    def __init__(self, sources: int, targets: int, model: ModelConfig, *, label_smoothing: float = 0.0) -> None:
        super().__init__(
            targets,
            model,
            partial(model.build, Role.ENCODER),
            embed_source=TokenEmbedding(sources, model.width),
            label_smoothing=label_smoothing,
        )

    def read(self, batch: PairBatch) -> Memory:
        source_BS = batch.source_BS
        if not self.training:  # a source longer than those of training is cut to their length
            source_BS = source_BS[:, : context_of(self.encoder)]
        return self.encoder.encode(self.dropout(self.embed_source(source_BS)), source_BS != self.alphabet.pad)


def written_target(network: Network[TargetBatchT], batch: TargetBatchT, length: int) -> Tensor:
    """target_1T: what the network itself writes, greedily, for a batch of one row, with its end; cut to the positions
    that its decoder can read at once. length: the most tokens that it writes."""
    assert isinstance(network, EncoderDecoder)
    (written,) = best_sequence(network, batch, length).tolist()
    ended = [*written[: written.index(END)], END] if END in written else [*written, END]
    return torch.tensor([ended])[:, : context_of(network.decoder)]


def written_example(
    batch: TargetBatchT, tokens: Sequence[str], targets: Vocabulary, *, truncated: int = 0
) -> Example[TargetBatchT]:
    """An example made from a batch of one row: the tokens that the encoder reads, and the target as the decoder reads
    and predicts it."""
    predicted = targets.shown(targets.tokens[token] for token in batch.target_BT[0].tolist())
    read = (targets.tokens[ALPHABET.start], *predicted[:-1])
    return Example(batch, tuple(tokens), read, predicted, truncated=truncated)
