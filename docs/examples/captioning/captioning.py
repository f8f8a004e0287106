"""Image captioning (image to text): drawings of two shapes, and a sentence on each.

A drawing follows from its number: `seqlab predict last 17` describes number 17. B batch, H W pixels, S patches.
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

SHAPES = {"bar": "....########....", "cross": ".##.########.##.", "ring": "#####..##..#####"}
SIDE, PATCH, LONGEST, SCORES = 12, 3, 12, TextScores("13a")  # pixels, pixels, words, and BLEU's tokenizer


def draw(number: int) -> tuple[Tensor, str]:
    """(image_1HW, caption): one shape above another, or left of it, on a little noise."""
    rng, image_HW = random.Random(number), 0.1 * torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(number))
    relation, objects = rng.choice(("above", "left of")), list[str]()
    for start in (0, SIDE // 2):
        shade, shape = rng.choice(("dark", "light")), rng.choice(sorted(SHAPES))
        y, x = start + rng.randrange(3), rng.randrange(9)
        pixels_HW = torch.tensor([pixel == "#" for pixel in SHAPES[shape]]).view(4, 4)
        image_HW[y : y + 4, x : x + 4] += (0.4 if shade == "dark" else 1.0) * pixels_HW
        objects.append(f"a {shade} {shape}")
    return (image_HW if relation == "above" else image_HW.T)[None], f" {relation} ".join(objects)


@dataclass(frozen=True, kw_only=True)
class ImageBatch(TargetBatch):
    """Images, and the captions to be written for them."""

    image_B1HW: Tensor


class CaptionNetwork(EncoderDecoder[ImageBatch]):
    """Patches of the image as a memory that any decoder with attention can read."""

    def __init__(self, words: int, model: ModelConfig) -> None:
        super().__init__(words, model, lambda: nn.Sequential(nn.Conv2d(1, model.width, 6, PATCH, padding=2), nn.ReLU()))
        self.place_SD = nn.Parameter(torch.randn((SIDE // PATCH) ** 2, model.width))

    def read(self, batch: ImageBatch) -> Memory:
        values_BSD = self.encoder(batch.image_B1HW).flatten(2).mT + self.place_SD
        return Memory(values_BSD, torch.ones_like(values_BSD[..., 0], dtype=torch.bool), values_BSD.mean(1))


@config_dataclass(frozen=True, kw_only=True)
class CaptioningConfig(TaskConfig):
    """images: how many drawings there are; a tenth of them each for validation and test."""

    images: Count
    batch_size: Count

    def build(self) -> Captioning:
        return Captioning(self)


class Captioning(Task[ImageBatch]):
    """Drawings and their captions."""

    generation_options = ("beams", "length_penalty")

    def __init__(self, config: CaptioningConfig) -> None:
        self.config = config
        self.drawn = split_items([draw(number) for number in range(config.images)], (0.8, 0.1, 0.1), seed=0)
        self.captions = {split: [caption for _, caption in drawn] for split, drawn in self.drawn.items()}
        self.words = Vocabulary.of(caption.split() for caption in self.captions["train"])

    def batches(self, split: Split, seed: int) -> Iterator[ImageBatch]:
        drawn = self.drawn[split]
        for items_B in in_batches(len(drawn), self.config.batch_size, seed if split == "train" else None):
            yield self.batch([drawn[item] for item in items_B.tolist()], items_B)

    def batch(self, drawn: Sequence[tuple[Tensor, str]], items_B: Tensor) -> ImageBatch:
        target_BT = pad([[*self.words.encode(caption.split()), END] for _, caption in drawn])
        return ImageBatch(image_B1HW=torch.stack([image for image, _ in drawn]), target_BT=target_BT, items_B=items_B)

    def build_network(self, model: ModelConfig) -> CaptionNetwork:
        return CaptionNetwork(len(self.words), model)

    def meter(self, split: Split) -> GenerationMeter[ImageBatch]:
        return GenerationMeter(partial(best_texts, self.words, LONGEST), self.captions[split], SCORES, "exact_match")

    def describe(self) -> Mapping[str, int | str]:
        return {f"{split} images": len(drawn) for split, drawn in self.drawn.items()}

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return {"embed_target": self.words.tokens}

    def predict(self, network: Network[ImageBatch], text: str, generation: GenerationConfig) -> Prediction:
        (caption,) = best_texts(self.words, LONGEST, network, self.example(network, text).batch, generation)
        return Prediction(caption, {"caption": caption})

    def example_text(self, length: int) -> str:
        return "0"  # any drawing will do

    def example(self, network: Network[ImageBatch], text: str) -> Example[ImageBatch]:
        if not text.strip().isdecimal():
            raise DataError(f"{text!r:.40} is not the number of a drawing", "give a whole number, e.g. 17")
        batch = self.batch([draw(int(text))], torch.zeros(1, dtype=torch.long))
        patches = tuple(f"{y},{x}" for y in range(SIDE // PATCH) for x in range(SIDE // PATCH))
        return written_example(batch, patches, self.words)

    def chance(self, split: Split) -> Baseline:
        captions = majority(self.captions["train"], self.captions[split])
        return Baseline("commonest caption", captions[0], SCORES.figures(captions, self.captions[split]))
