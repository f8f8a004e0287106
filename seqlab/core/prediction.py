"""Predictions for a user's texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from seqlab.core.batch import BatchT
from seqlab.core.network import Network
from seqlab.core.offers import offers, require


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """How predictions are generated; each task uses the fields that apply to it.

    length: tokens to write. temperature, top_k, top_p, seed: how they are sampled (decoding/sampling.py). beams,
    length_penalty: how the best sequence is searched (decoding/beam.py).
    """

    length: int = 200
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    beams: int = 1
    length_penalty: float = 0.0


@dataclass(frozen=True)
class Prediction:
    """A network's prediction for one text. text: for people. details: for tools."""

    text: str
    details: Mapping[str, Any]

    def __str__(self) -> str:
        return self.text


@runtime_checkable
class Predictor(Protocol[BatchT]):
    """A task that makes predictions for a user's texts."""

    def predict(self, network: Network[BatchT], text: str, generation: GenerationConfig) -> Prediction:
        """The network's prediction for the text. Raises DataError for a text that cannot be read."""


@runtime_checkable
class StreamingPredictor(Protocol[BatchT]):
    """A Predictor that can also give its prediction in pieces."""

    def stream(self, network: Network[BatchT], text: str, generation: GenerationConfig) -> Iterator[str]:
        """The text of `predict`, in pieces as they are generated."""


def predictor(task: object) -> Predictor[Any]:
    """The task, if it makes predictions; else ConfigError."""
    return require(task, Predictor, "makes no predictions", "a task offers them by its method predict")


def stream(task: object, network: Network[Any], text: str, generation: GenerationConfig) -> Iterator[str]:
    """The text of a prediction in pieces as they are generated, or whole if the task does not stream."""
    if offers(task, StreamingPredictor):
        yield from task.stream(network, text, generation)
    else:
        yield predictor(task).predict(network, text, generation).text
