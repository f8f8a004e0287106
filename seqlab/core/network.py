"""A task's embeddings, sequence models, head and loss as one module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeAlias

from torch import Tensor, nn

from seqlab.core.batch import BatchT
from seqlab.core.model import SequenceModel
from seqlab.core.state import State


@dataclass(frozen=True)
class StepOutput:
    """What a network says of one batch.

    loss_sum: () nats, summed (not averaged) over the batch's scored targets.
    state: what the network remembers after it.
    logits: the task's own scores, (B, T, V) or (B, C), for its meter.
    """

    loss_sum: Tensor
    state: State
    logits: Tensor


@dataclass(frozen=True)
class Parts:
    """What a network is made of, as modules or single parameters, each weight in one of them. embedding: what turns
    tokens into vectors; body: what works on sequences; head: what makes scores of it. A weight that two of them share
    counts where it is named first, in this order."""

    embedding: tuple[nn.Module | nn.Parameter, ...]
    body: tuple[nn.Module | nn.Parameter, ...]
    head: tuple[nn.Module | nn.Parameter, ...]


class Network(nn.Module, ABC, Generic[BatchT]):
    """A task's embeddings, sequence model(s), head and loss as one module."""

    @abstractmethod
    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        """The state at a batch that continues nothing. cached: for an evaluation, in which a model without recurrence
        keeps what it has read, so that it can go on from batch to batch; never where gradients are wanted."""

    def carries_state(self) -> bool:
        """Whether training hands a state from one batch to the next where the text goes on. A network that starts
        every batch afresh loses nothing when batches come in any order (Task.training_batches)."""
        return True

    @abstractmethod
    def forward(self, batch: BatchT, state: State) -> StepOutput:
        """The summed loss of the batch, in nats and fp32 whatever the precision of the matmuls."""

    def check_windows(self, steps: int) -> None:
        """Raise ConfigError, with the remedy, if this network cannot read sequences in windows of `steps`; by default
        it can."""

    def parts(self) -> Parts:
        """What is counted, and matched in size, as what. By default embedding are the nn.Embedding modules outside
        sequence models, body the sequence models, and head whatever is left: a network with another body says so."""
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
    """Without dropout, which would also draw from the generator that training goes on with; then as before."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


@dataclass(frozen=True)
class Alphabet:
    """What the tokens mean that a network writes, as their ids.

    start: what the first token of a text is written after. end: the last one. pad: what fills a row after it.
    undrawn: those that sampling never takes.
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
        """(what writes one token after another in evaluation, the state before the first), given what `batch` asks
        for: a prompt, or a source. The step is made ready with the weights that the network now has; a cache in the
        state has room for `capacity` tokens that will be written."""
