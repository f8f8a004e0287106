"""Texts as a network reads them, for pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from seqlab.core.batch import Batch, BatchT, Split
from seqlab.core.network import Network
from seqlab.core.offers import require
from seqlab.errors import ConfigError

ReadT = TypeVar("ReadT", bound=Batch, covariant=True)


@dataclass(frozen=True)
class Patches:
    """An image, and the patches that a network reads of it: one at each position, row by row. pixels_HWC: values of 0
    to 255, of one channel (grey) or three. caption: the one that it has in the corpus, if it is from there."""

    pixels_HWC: npt.NDArray[np.uint8]
    rows: int
    columns: int
    caption: str = ""


@dataclass(frozen=True)
class Example(Generic[BatchT]):
    """One text as a network reads it, for pictures.

    batch: one row. tokens: the token at each position, as people write it. decoder_tokens: the tokens that the decoder
    reads, if there is one; predicted: the token that it predicts after each. decoder: the dotted name of the part of
    the network that reads `decoder_tokens`; every other part reads `tokens`. truncated: the number of tokens cut off at
    the end of the text, because the network was not trained on texts of that length. patches: the image whose patches
    `tokens` names, where an image is read instead of a text. unit: what `tokens` are, on axes.
    """

    batch: BatchT
    tokens: tuple[str, ...]
    decoder_tokens: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    decoder: str = "decoder"
    truncated: int = 0
    patches: Patches | None = None
    unit: str = "tokens"

    def tokens_of(self, module: str, positions: int) -> tuple[str, ...]:
        """The tokens that a module (given by its dotted name in the network) reads. Raises ConfigError if it reads
        another number of positions."""
        decodes = bool(self.decoder_tokens) and f"{module}.".startswith(f"{self.decoder}.")
        tokens = self.decoder_tokens if decodes else self.tokens
        if len(tokens) != positions:
            raise ConfigError(
                f"{module} reads {positions} positions, and the text has {len(tokens)}: tokens cannot be matched "
                "to positions",
                "let the task's method example name the part that reads decoder_tokens: Example(decoder=NAME)",
            )
        return tokens


@runtime_checkable
class ExampleReader(Protocol[BatchT]):
    """A task that can show how a network reads a text."""

    def example(self, network: Network[BatchT], text: str) -> Example[BatchT]:
        """How the network reads a text. Raises DataError for a text that cannot be read."""


@runtime_checkable
class ExampleSource(Protocol):
    """A task that can choose a text to show."""

    def example_text(self, length: int) -> str:
        """A text of the validation split that is worth showing, of about `length` tokens where texts can be cut."""


@runtime_checkable
class ContextSource(Protocol[ReadT]):
    """A task whose targets can be predicted from contexts of any length, such as a language model's."""

    def contexts(self, split: Split, steps: int, longest: int, count: int) -> Iterator[ReadT]:
        """Batches whose rows hold `steps` positions of a split (or all, where a sequence begins later) and one target,
        that of the last position. The targets are about `count`, spread over the split, and the same ones for every
        `steps` up to `longest`. Raises DataError where no sequence has `longest` positions."""


def example_reader(task: object) -> ExampleReader[Any]:
    """The task, if it can show how a network reads a text; else ConfigError."""
    return require(task, ExampleReader, "has no examples to inspect", "a task offers them by its method example")


def example_source(task: object) -> ExampleSource:
    """The task, if it chooses a text; else ConfigError."""
    return require(task, ExampleSource, "has no example text of its own", "give one: --text TEXT")


def context_source(task: object) -> ContextSource[Any]:
    """The task, if it has contexts of any length; else ConfigError."""
    return require(task, ContextSource, "is no language model, which predicts from contexts of any length")
