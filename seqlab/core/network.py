"""A task's embeddings, sequence models, head and loss as one module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeAlias

import torch
from torch import Tensor, nn

from seqlab.core.batch import BatchT
from seqlab.core.model import SequenceModel
from seqlab.core.state import State


@dataclass(frozen=True)
class StepOutput:
    """A network's output for one batch.

    loss_sum: () nats, summed (not averaged) over the batch's scored targets.
    state: the state after the batch.
    logits: the task's own scores, (B, T, V) or (B, C), for its meter.
    """

    loss_sum: Tensor
    state: State
    logits: Tensor


@dataclass(frozen=True)
class Parts:
    """A network's modules or single parameters by purpose; together they hold every weight. embedding: turns tokens
    into vectors; body: processes sequences; head: computes scores. A weight that several share counts in the first of
    them."""

    embedding: tuple[nn.Module | nn.Parameter, ...]
    body: tuple[nn.Module | nn.Parameter, ...]
    head: tuple[nn.Module | nn.Parameter, ...]


class Network(nn.Module, ABC, Generic[BatchT]):
    """A task's embeddings, sequence model(s), head and loss as one module."""

    @abstractmethod
    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        """The state before a batch that does not continue another. cached: a model without recurrence keeps what it has
        read, so that it can continue from batch to batch; for evaluation only, without gradients."""

    def carries_state(self) -> bool:
        """Whether training passes a state from one batch to the next where the text continues. A network that starts
        every batch afresh loses nothing when batches come in any order (Task.training_batches)."""
        return True

    @abstractmethod
    def forward(self, batch: BatchT, state: State) -> StepOutput:
        """The summed loss of the batch, in nats and in fp32 whatever the precision of the matmuls."""

    def check_windows(self, steps: int) -> None:
        """Raise ConfigError, with the remedy, if this network cannot read sequences in windows of `steps`; by default
        it can."""

    def parts(self) -> Parts:
        """The division by which parameters are counted and sizes matched. By default the nn.Embedding modules outside
        sequence models are the embedding, the sequence models the body, and all other parameters the head."""
        body = [module for module in self.modules() if isinstance(module, SequenceModel)]
        embedding = list(self.embeddings().values())
        named = {id(p) for module in (*body, *embedding) for p in module.parameters()}
        return Parts(tuple(embedding), tuple(body), tuple(p for p in self.parameters() if id(p) not in named))

    def embeddings(self) -> dict[str, nn.Embedding]:
        """Its tables of vectors (V, D) by name. By default the nn.Embedding modules outside sequence models, by their
        dotted names; Task.embedding_tokens says what their rows stand for."""
        models = [module for module in self.modules() if isinstance(module, SequenceModel)]
        inside = {id(module) for model in models for module in model.modules()}
        return {
            name: module
            for name, module in self.named_modules()
            if isinstance(module, nn.Embedding) and id(module) not in inside
        }


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while: no dropout, which would also advance the random generator that training uses."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def output_of(network: Network[BatchT], batch: BatchT) -> StepOutput:
    """The output for one batch that continues no other, in evaluation, on the network's device."""
    with evaluating(network), torch.inference_mode():
        batch = batch.to(next(network.parameters()).device)
        output: StepOutput = network(batch, network.initial_state(batch.size, cached=True))
    return output


@dataclass(frozen=True)
class Alphabet:
    """The ids of the special tokens of a network that writes.

    start: read before the first token. end: the last token of a text. pad: fills a row after its end. undrawn: never
    sampled.
    """

    start: int
    end: int
    pad: int
    undrawn: tuple[int, ...] = ()


TokenStep: TypeAlias = Callable[[Tensor, State], tuple[Tensor, State]]
"""(token_B, the state before it) to (logits_BV of the token that follows it, the state after it)."""


class GeneratingNetwork(Network[BatchT]):
    """A network that can also write, one token a row at a time."""

    alphabet: Alphabet

    @abstractmethod
    def start(self, batch: BatchT, capacity: int) -> tuple[TokenStep, State]:
        """(the step that writes one token after another in evaluation, the state before the first), for the prompt or
        the source in `batch`. The step is prepared with the current weights; a cache in the state has room for
        `capacity` tokens to be written."""
