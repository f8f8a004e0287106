"""Data to text: curves, and a sentence on each.

A curve follows from its number: `seqlab predict last 17` describes number 17. B batch, T values, S patches.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.baselines.bag_of_words import majority
from seqlab.core.baseline import Baseline
from seqlab.core.batch import Split
from seqlab.core.example import Example
from seqlab.core.fields import Count
from seqlab.core.model import Memory, ModelConfig
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.task import Task, TaskConfig
from seqlab.data.batches import TargetBatch
from seqlab.data.batching import in_batches, pad, split_items
from seqlab.data.vocabulary import END, Vocabulary
from seqlab.decoding.search import best_texts
from seqlab.errors import DataError
from seqlab.metrics.generation import GenerationMeter
from seqlab.metrics.text import TextScores
from seqlab.networks.encoder_decoder import EncoderDecoder, written_example

SLOPES = {"stays level": 0.0, "rises slowly": 0.1, "rises fast": 0.3, "falls slowly": -0.1, "falls fast": -0.3}
STEPS, PATCH, LONGEST, SCORES = 24, 3, 12, TextScores("13a")  # values, values, words, and BLEU's tokenizer


def draw(number: int) -> tuple[Tensor, str]:
    """(values_T, sentence): a curve of two different parts, on a little noise."""
    rng, noise_T = random.Random(number), 0.05 * torch.randn(STEPS, generator=torch.Generator().manual_seed(number))
    parts, turn = rng.sample(sorted(SLOPES), 2), rng.randrange(STEPS // 3, 2 * STEPS // 3)
    slope_T = torch.tensor([SLOPES[parts[0]]] * turn + [SLOPES[parts[1]]] * (STEPS - turn))
    return slope_T.cumsum(0) + noise_T, " then ".join(parts)


@dataclass(frozen=True, kw_only=True)
class CurveBatch(TargetBatch):
    """Curves, and the sentences to be written for them."""

    values_BT: Tensor


class CurveNetwork(EncoderDecoder[CurveBatch]):
    """Patches of the curve as a memory that any decoder with attention can read."""

    def __init__(self, words: int, model: ModelConfig) -> None:
        super().__init__(words, model, lambda: nn.Sequential(nn.Conv1d(1, model.width, 6, PATCH, padding=2), nn.ReLU()))
        self.place_SD = nn.Parameter(torch.randn(STEPS // PATCH, model.width))

    def read(self, batch: CurveBatch) -> Memory:
        values_BSD = self.encoder(batch.values_BT[:, None]).mT + self.place_SD
        return Memory(values_BSD, torch.ones_like(values_BSD[..., 0], dtype=torch.bool), values_BSD.mean(1))


@config_dataclass(frozen=True, kw_only=True)
class CurvesConfig(TaskConfig):
    """curves: how many there are; a tenth of them each for validation and test."""

    curves: Count
    batch_size: Count

    def build(self) -> Curves:
        return Curves(self)


class Curves(Task[CurveBatch]):
    """Curves and their sentences."""

    generation_options = ("beams", "length_penalty")

    def __init__(self, config: CurvesConfig) -> None:
        self.config = config
        self.drawn = split_items([draw(number) for number in range(config.curves)], (0.8, 0.1, 0.1), seed=0)
        self.sentences = {split: [sentence for _, sentence in drawn] for split, drawn in self.drawn.items()}
        self.words = Vocabulary.of(sentence.split() for sentence in self.sentences["train"])

    def batches(self, split: Split, seed: int) -> Iterator[CurveBatch]:
        drawn = self.drawn[split]
        for items_B in in_batches(len(drawn), self.config.batch_size, seed if split == "train" else None):
            yield self.batch([drawn[item] for item in items_B.tolist()], items_B)

    def batch(self, drawn: Sequence[tuple[Tensor, str]], items_B: Tensor) -> CurveBatch:
        target_BT = pad([[*self.words.encode(sentence.split()), END] for _, sentence in drawn])
        return CurveBatch(values_BT=torch.stack([values for values, _ in drawn]), target_BT=target_BT, items_B=items_B)

    def build_network(self, model: ModelConfig) -> CurveNetwork:
        return CurveNetwork(len(self.words), model)

    def meter(self, split: Split) -> GenerationMeter[CurveBatch]:
        return GenerationMeter(partial(best_texts, self.words, LONGEST), self.sentences[split], SCORES, "exact_match")

    def describe(self) -> Mapping[str, int | str]:
        return {f"{split} curves": len(drawn) for split, drawn in self.drawn.items()}

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return {"embed_target": self.words.tokens}

    def predict(self, network: Network[CurveBatch], text: str, generation: GenerationConfig) -> Prediction:
        (sentence,) = best_texts(self.words, LONGEST, network, self.example(network, text).batch, generation)
        return Prediction(sentence, {"sentence": sentence})

    def example_text(self, length: int) -> str:
        return "0"  # any curve will do

    def example(self, network: Network[CurveBatch], text: str) -> Example[CurveBatch]:
        if not text.strip().isdecimal():
            raise DataError(f"{text!r:.40} is not the number of a curve", "give a whole number, e.g. 17")
        batch = self.batch([draw(int(text))], torch.zeros(1, dtype=torch.long))
        patches = tuple(f"{start} to {start + PATCH - 1}" for start in range(0, STEPS, PATCH))
        return written_example(batch, patches, self.words)

    def chance(self, split: Split) -> Baseline:
        sentences = majority(self.sentences["train"], self.sentences[split])
        return Baseline("commonest sentence", sentences[0], SCORES.figures(sentences, self.sentences[split]))
