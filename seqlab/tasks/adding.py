"""The adding problem: the sum of two marked numbers of a long sequence (many-to-one regression). B rows, T time.

Hochreiter & Schmidhuber 1997, section 5.4, in the form of Arjovsky 2016: at each position a number, uniform in [0, 1),
and a mark, which is 1 at one position of the first half and at one of the second, and 0 elsewhere. (In Le 2015 and Bai
2018 any two positions are marked.)
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.baseline import Baseline
from seqlab.core.batch import Split
from seqlab.core.example import Example
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network, output_of
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.data.batches import SeriesBatch
from seqlab.errors import DataError
from seqlab.kinds.generated import GeneratedConfig, GeneratedTask
from seqlab.metrics.regression import RegressionMeter, regression_metrics
from seqlab.networks.regressor import Regressor

_TOLERANCE = 0.04  # after Hochreiter & Schmidhuber 1997, whose targets are scaled to [0, 1]; here they are in [0, 2]
_MARKED = 2
_SHOWN = 3  # sequences


@config_dataclass(frozen=True, kw_only=True)
class AddingConfig(GeneratedConfig):
    """Settings of `task=adding`. length: numbers in a sequence."""

    def shortest(self) -> tuple[int, str]:
        return _MARKED, "a marked number in each half"

    def build(self) -> Adding:
        return Adding(self)


class Adding(GeneratedTask[SeriesBatch]):
    """Numbers and marks, and the sum of the two marked numbers."""

    def longest(self) -> int:
        return self.config.length

    def numbers(self) -> int:
        return self.config.length + _MARKED

    def sequences(self, drawn_BK: Tensor, items_B: Tensor) -> SeriesBatch:
        length = self.config.length
        value_BT, first_B, second_B = drawn_BK[:, :length].float(), drawn_BK[:, length], drawn_BK[:, length + 1]
        half = length // 2
        marked_B2 = torch.stack((half * first_B, half + (length - half) * second_B), 1).long()
        mark_BT = torch.zeros_like(value_BT).scatter_(1, marked_B2, 1.0)
        return _batch(torch.stack((value_BT, mark_BT), -1), items_B)

    def build_network(self, model: ModelConfig) -> Regressor:
        return Regressor(2, 1, model)

    def meter(self, split: Split) -> RegressionMeter:
        return RegressionMeter(_TOLERANCE)

    def chance(self, split: Split) -> Baseline:
        """Of predicting 1 for every sequence: the error is the variance of a sum of two uniform numbers,
        and its density at distance d from 1 is 1 - d."""
        about = "always predicts 1; the variance of a sum of two uniform numbers is 1/6"
        return Baseline("memoryless", about, regression_metrics(1 / 6, 1 - (1 - _TOLERANCE) ** 2))

    def contexts_of(self, batch: SeriesBatch, steps: int) -> Iterator[SeriesBatch]:
        ends = (batch.inputs_BTF[:, -steps:], batch.targets_BTK[:, -steps:], batch.scored_BT[:, -steps:])
        yield SeriesBatch.of(*ends, batch.items_B, padded=False)

    def predict(self, network: Network[SeriesBatch], text: str, generation: GenerationConfig) -> Prediction:
        inputs_1TF, tokens = _read(text)
        self.check_readable(network, len(tokens))
        (value,) = _predicted(network, _batch(inputs_1TF, torch.zeros(1, dtype=torch.long)))
        return Prediction(f"{value:.4f}", {"sum": value})

    def example_text(self, length: int) -> str:
        """A sequence is one text and cannot be cut: its first number may be marked."""
        return _written(self.first("validation", 1), 0)

    def example(self, network: Network[SeriesBatch], text: str) -> Example[SeriesBatch]:
        inputs_1TF, tokens = _read(text)
        read = len(tokens[: self.readable(network)])
        batch = _batch(inputs_1TF[:, :read], torch.zeros(1, dtype=torch.long))
        return Example(batch, tokens[:read], truncated=len(tokens) - read)

    def samples(self, network: Network[SeriesBatch], seed: int) -> str:
        batch = self.first("validation", _SHOWN)
        lines = []
        for row, value in enumerate(_predicted(network, batch)):
            marked = batch.inputs_BTF[row, batch.inputs_BTF[row, :, 1] > 0, 0].tolist()
            terms = " + ".join(f"{term:.4f}" for term in marked)
            lines.append(f"{terms} = {sum(marked):.4f}, predicted: {value:.4f}")
        return "\n".join(lines)


def _batch(inputs_BTF: Tensor, items_B: Tensor) -> SeriesBatch:
    """Whole sequences with their target at the end."""
    target_B = inputs_BTF.prod(-1).sum(1)
    targets_BT1 = torch.zeros_like(inputs_BTF[..., :1])
    targets_BT1[:, -1, 0] = target_B
    scored_BT = torch.zeros_like(inputs_BTF[..., 0], dtype=torch.bool)
    scored_BT[:, -1] = True
    return SeriesBatch.of(inputs_BTF, targets_BT1, scored_BT, items_B, padded=False)


def _predicted(network: Network[SeriesBatch], batch: SeriesBatch) -> list[float]:
    """The sum that is predicted for each row."""
    sums: list[float] = output_of(network, batch).logits[:, -1, 0].float().tolist()
    return sums


def _read(text: str) -> tuple[Tensor, tuple[str, ...]]:
    """(inputs_1TF, tokens) of a sequence as it is written: `0.3 0.5* 0.1 0.9*`. Raises DataError for another form."""
    tokens = tuple(text.split())
    try:
        rows = [(float(token.removesuffix("*")), float(token.endswith("*"))) for token in tokens]
    except ValueError as error:
        raise DataError(f"{text!r:.60} is no sequence of numbers", "give one like: 0.3 0.5* 0.1 0.9*") from error
    marked = sum(mark > 0 for _, mark in rows)
    if marked != _MARKED or not all(0 <= value <= 1 for value, _ in rows):
        raise DataError(
            f"{text!r:.60} has {marked} marked numbers: two numbers are marked, and all are between 0 and 1",
            "give one like: 0.3 0.5* 0.1 0.9*",
        )
    return torch.tensor([rows]), tokens


def _written(batch: SeriesBatch, row: int) -> str:
    return " ".join(f"{value:.3f}{'*' * (mark > 0)}" for value, mark in batch.inputs_BTF[row].tolist())
