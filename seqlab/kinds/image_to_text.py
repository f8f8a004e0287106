"""Image to text: a sentence for an image (one-to-many, encoder-decoder).

Shape letters: B batch, T target time, C channels, H W pixels.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.baselines.bag_of_words import majority
from seqlab.baselines.neighbours import nearest_vector
from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, Split
from seqlab.core.example import Example, Patches
from seqlab.core.fields import Count, NonNegative, Probability, WholeNumber
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.task import Task, TaskConfig
from seqlab.data.captioned import CaptionedImages, EncodedCaptions, ImageBatch
from seqlab.data.files import exists, expanded, sha256_of
from seqlab.data.images import read_image
from seqlab.data.restored import Restorable
from seqlab.data.vocabulary import Vocabulary, VocabularySize, unknown_facts, unknown_in, unknown_warnings
from seqlab.decoding.search import best_texts
from seqlab.errors import DataError
from seqlab.metrics.generation import GenerationMeter, beside_targets
from seqlab.metrics.text import BleuTokenizer, TextScores, choose_bleu_tokenizer
from seqlab.networks.encoder_decoder import written_example, written_target
from seqlab.networks.image_to_text import ImageToText

_GREEDY = GenerationConfig()
_log = logging.getLogger("seqlab")


@config_dataclass(frozen=True, kw_only=True)
class ImageToTextConfig(TaskConfig):
    """Settings of every image-to-text task.

    image_size: pixels of a side. colour: three channels; else shades of grey. patch: pixels of the side of each patch
    that a decoder can attend to. features: channels of the first convolution. shift, turn: of training images, at
    random, in pixels and degrees. max_length: words of a text with its end; longer ones of training are left out.
    """

    training_settings: ClassVar[tuple[str, ...]] = (
        "batch_size", "eval_batch_size", "patch", "features", "shift", "turn", "max_length", "vocabulary_size",
        "label_smoothing",
    )  # fmt: skip

    image_size: Count
    colour: bool
    patch: Count
    features: Count
    shift: WholeNumber
    turn: NonNegative
    max_length: Count
    vocabulary_size: VocabularySize
    batch_size: Count
    eval_batch_size: Count
    label_smoothing: Probability
    metric: Literal["exact_match", "bleu"]
    bleu_tokenizer: BleuTokenizer

    def __post_init__(self) -> None:
        if self.patch & (self.patch - 1) or self.image_size % self.patch:
            raise ValueError(
                f"task.patch={self.patch} is no power of two that divides task.image_size={self.image_size}; "
                f"try task.patch={min(4, self.image_size & -self.image_size)}"
            )


class ImageToTextGeneration(Restorable, Task[ImageBatch]):
    """Images in three splits, each with a text. Perhaps others apart, which are scored after those of test by
    themselves."""

    generation_options = ("beams", "length_penalty")
    target_name: ClassVar[str] = "caption"
    apart_name: ClassVar[str] = ""
    config: ImageToTextConfig

    def __init__(
        self, parts: dict[Split, CaptionedImages], config: ImageToTextConfig, apart: CaptionedImages | None = None
    ) -> None:
        """Raises DataError if all texts of training are too long."""
        self.config, longest = config, config.max_length - 1
        train = parts["train"].of_length(longest)
        if not train.captions:
            raise DataError(
                f"task.max_length={config.max_length} leaves out every caption of training",
                f"try task.max_length={1 + min(len(text.split()) for text in parts['train'].captions)}",
            )
        self.left_out = len(parts["train"].captions) - len(train.captions)
        self.words = Vocabulary.of((text.split() for text in train.captions), size=config.vocabulary_size)
        every = {**parts, "train": train}
        self.encoded = {split: EncodedCaptions(part, self.words, longest) for split, part in every.items()}
        self.apart = None if apart is None else EncodedCaptions(apart, self.words, longest)
        self.lengths = (max(part.longest for part in self.encoded.values()), self.encoded["train"].longest)
        self.data_sha256 = sha256_of(part.sha256 for part in (*every.values(), *([apart] if apart else [])))
        texts = (text for split in HELD_OUT for text in parts[split].captions)
        self.scores = TextScores(choose_bleu_tokenizer(config.bleu_tokenizer, texts))

    def with_stored_vocabulary(self, config: ImageToTextConfig, vocabulary: Mapping[str, Any]) -> Self:
        """The restored task with its run's stored vocabulary, for TaskConfig.restore."""
        self.config, self.words = config, Vocabulary.restored(vocabulary["words"])
        longest, trained = map(int, vocabulary["lengths"])
        self.lengths = (longest, trained)
        return self

    def tested_on(self, part: CaptionedImages) -> Self:
        """The task with these images alone as its test split, for `with_test_corpus`."""
        task = self.detached()
        task.encoded = {"test": EncodedCaptions(part, self.words, self.config.max_length - 1)}
        task.apart, task.data_sha256 = None, sha256_of([part.sha256])
        task.scores = TextScores(choose_bleu_tokenizer(self.config.bleu_tokenizer, part.captions))
        return task

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {"words": self.words.tokens, "lengths": self.lengths}

    def batches(self, split: Split, seed: int) -> Iterator[ImageBatch]:
        part, config = self.encoded[split], self.config
        if split == "train":
            yield from part.batches(config.batch_size, seed, config.shift, config.turn)
            return
        yield from part.batches(config.eval_batch_size)
        if split == "test" and self.apart is not None:
            for batch in self.apart.batches(config.eval_batch_size):
                yield replace(batch, items_B=len(part.captions) + batch.items_B)

    def build_network(self, model: ModelConfig) -> ImageToText:
        config = self.config
        return ImageToText(
            len(self.words), model, channels=3 if config.colour else 1, features=config.features,
            side=config.image_size, patch=config.patch, label_smoothing=config.label_smoothing,
        )  # fmt: skip

    def longest(self) -> int:
        return self.lengths[0]

    def trained_positions(self, part: str) -> int:
        return self.lengths[1]

    def heldout_sha256(self) -> str:
        return sha256_of(self.encoded[split].part.sha256 for split in HELD_OUT)

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return {"embed_target": self.words.tokens}

    def meter(self, split: Split) -> GenerationMeter[ImageBatch]:
        meter = self._meter(self.encoded[split])
        if split == "test" and self.apart is not None:
            meter.apart = (self.apart_name, self._meter(self.apart))
        return meter

    def _meter(self, part: EncodedCaptions) -> GenerationMeter[ImageBatch]:
        return GenerationMeter(
            self.write, part.captions, self.scores, self.config.metric, measured=part.captions, of=self.target_name,
            length_of=lambda text: len(text.split()), unit="words",
        )  # fmt: skip

    def write(
        self, network: Network[ImageBatch], batch: ImageBatch, generation: GenerationConfig = _GREEDY
    ) -> list[str]:
        """What the network writes for the images of a batch: greedily, or with beam search."""
        return best_texts(self.words, self.config.max_length, network, batch, generation)

    def describe(self) -> Mapping[str, int | str]:
        apart = {} if self.apart is None else {f"test {self.target_name}s, {self.apart_name}": len(self.apart.captions)}
        return {
            **{f"{split} {self.target_name}s": len(part.captions) for split, part in self.encoded.items()},
            **apart,
            "words": len(self.words),
            "BLEU tokenizer": self.scores.tokenizer,
            **unknown_facts(self.encoded, "word"),
            f"training {self.target_name}s left out at {self.config.max_length} words": self.left_out,
        }

    def warnings(self) -> Iterable[str]:
        return unknown_warnings(self.encoded, "word")

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        return unknown_in(self.encoded[split], "word")

    def samples(self, network: Network[ImageBatch], seed: int) -> str:
        part = self.encoded["validation"]
        chosen = random.Random(seed).sample(range(len(part.captions)), min(8, len(part.captions)))
        written = self.write(network, part.gather(torch.tensor(chosen)))
        return beside_targets([(f"image {item}", part.captions[item]) for item in chosen], written)

    def chance(self, split: Split) -> Baseline:
        texts = self.encoded[split].captions
        written = majority(self.encoded["train"].captions, texts)
        return Baseline("commonest", f"the commonest {self.target_name}", self.scores.figures(written, texts))

    def baselines(self) -> Iterator[Baseline]:
        yield self.chance("test")
        train, test = self.encoded["train"], self.encoded["test"]
        found = nearest_vector(train.part.vectors(), test.part.vectors()[list(test.part.image_of)])
        first = dict(reversed([*zip(train.part.image_of, train.captions, strict=True)]))
        written = [first[image] for image in found]
        about = f"the {self.target_name} of the image of train with the nearest pixels"
        yield Baseline("nearest", about, self.scores.figures(written, test.captions))

    def image(self, text: str) -> Tensor:
        """image_1CHW of a text: the path of a picture, or the number of an image of validation. Raises DataError."""
        if (item := self._item(text)) is not None:
            return self.encoded["validation"].gather(torch.tensor([item])).image_BCHW
        name, side = text.strip(), self.config.image_size
        image_CHW, size = read_image(expanded(name), name, side, colour=self.config.colour)
        if size != (side, side):
            _log.warning("%s: its %d x %d pixels are resized to %d x %d", name, *size, side, side)
        return torch.from_numpy(image_CHW)[None]

    def _item(self, text: str) -> int | None:
        """The number of an image of validation, if it is one."""
        if not (name := text.strip()).isdecimal() or exists(expanded(name)):
            return None
        if int(name) > (last := len(self.encoded["validation"].captions) - 1):
            raise DataError(f"there is no image {name} of validation", f"the last one is {last}")
        return int(name)

    def _batch(self, text: str) -> ImageBatch:
        """Its image without a target."""
        none_BT, items_B = torch.zeros(1, 0, dtype=torch.long), torch.zeros(1, dtype=torch.long)
        return ImageBatch(image_BCHW=self.image(text), target_BT=none_BT, items_B=items_B)

    def predict(self, network: Network[ImageBatch], text: str, generation: GenerationConfig) -> Prediction:
        (written,) = self.write(network, self._batch(text), generation)
        return Prediction(written, {self.target_name: written})

    def example_text(self, length: int) -> str:
        """The number of the image of validation whose text has most nearly `length` words."""
        captions = self.encoded["validation"].captions
        return str(min(range(len(captions)), key=lambda item: abs(len(captions[item].split()) - length)))

    def example(self, network: Network[ImageBatch], text: str) -> Example[ImageBatch]:
        batch, item, side = self._batch(text), self._item(text), self.config.image_size // self.config.patch
        batch = replace(batch, target_BT=written_target(network, batch, self.config.max_length))
        tokens = [f"row {y + 1}, column {x + 1}" for y in range(side) for x in range(side)]
        caption = "" if item is None else self.encoded["validation"].captions[item]
        patches = Patches(batch.image_BCHW[0].movedim(0, -1).numpy(), side, side, caption)
        return replace(written_example(batch, tokens, self.words), patches=patches)
