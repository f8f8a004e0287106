"""Texts as a network reads them, for pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from seqlab.core.batch import Batch, BatchT, Split
from seqlab.core.network import Network
from seqlab.core.offers import require
from seqlab.errors import ConfigError

ReadT = TypeVar("ReadT", bound=Batch, covariant=True)


@dataclass(frozen=True)
class Example(Generic[BatchT]):
    """One text as a network reads it, for pictures.

    batch: one row. tokens: those at each of its positions, as a person would write them. decoder_tokens: those that the
    decoder reads, in a network that has one; predicted: what it then predicts, position by position. decoder: the
    dotted name of the part of the network that reads `decoder_tokens`; every other part reads `tokens`. truncated: how
    many tokens at the end of the text are not read, because the network was not trained to read so many at once.
    """

    batch: BatchT
    tokens: tuple[str, ...]
    decoder_tokens: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    decoder: str = "decoder"
    truncated: int = 0

    def tokens_of(self, module: str, positions: int) -> tuple[str, ...]:
        """The tokens that a module of the network, by its dotted name, reads. Raises ConfigError where it reads another
        number of positions."""
        decodes = bool(self.decoder_tokens) and f"{module}.".startswith(f"{self.decoder}.")
        tokens = self.decoder_tokens if decodes else self.tokens
        if len(tokens) != positions:
            raise ConfigError(
                f"{module} reads {positions} positions, and the text has {len(tokens)}: which token is where is not "
                "known",
                "let the task's method example name the part that reads decoder_tokens: Example(decoder=NAME)",
            )
        return tokens


@runtime_checkable
class ExampleReader(Protocol[BatchT]):
    """A task whose networks can be watched while they read a text."""

    def example(self, network: Network[BatchT], text: str) -> Example[BatchT]:
        """How the network reads a text. Raises DataError for a text that cannot be read."""


@runtime_checkable
class ExampleSource(Protocol):
    """A task that chooses a text of its own to be shown."""

    def example_text(self, length: int) -> str:
        """A text of the validation split that is worth a picture, of about `length` tokens where it can be cut."""


@runtime_checkable
class ContextSource(Protocol[ReadT]):
    """A task whose targets can be predicted from contexts of any length, as those of a language model."""

    def contexts(self, split: Split, steps: int, longest: int, count: int) -> Iterator[ReadT]:
        """Batches whose rows hold `steps` tokens of a split and one target, the token after the last. The targets are
        about `count`, spread over the split, and the same ones for every `steps` up to `longest`."""


def example_reader(task: object) -> ExampleReader[Any]:
    """The task, if its networks can be watched; else ConfigError."""
    return require(task, ExampleReader, "cannot be looked at", "a task offers it by its method example")


def example_source(task: object) -> ExampleSource:
    """The task, if it chooses a text; else ConfigError."""
    return require(task, ExampleSource, "offers no text to look at", "give one: --text TEXT")


def context_source(task: object) -> ContextSource[Any]:
    """The task, if it has contexts of any length; else ConfigError."""
    return require(task, ContextSource, "is no language model, which goes on from contexts of any length")
