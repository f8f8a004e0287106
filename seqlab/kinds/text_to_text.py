"""Text to text: one sequence of tokens into another (many-to-many, encoder-decoder)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Literal, Self

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, Split
from seqlab.core.example import Example
from seqlab.core.fields import Count, Probability
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.task import Task
from seqlab.data.batches import PairBatch
from seqlab.data.files import sha256_of
from seqlab.data.pair_splits import Pair
from seqlab.data.restored import Restorable
from seqlab.data.subwords import Subwords
from seqlab.data.tokens import (
    FILES,
    LEARNED,
    TokenConfig,
    check_size,
    files_of,
    restored,
    stored,
    subword_vocabulary,
    unit_of,
)  # fmt: skip
from seqlab.data.vocabulary import Vocabulary, VocabularySize, unknown_facts, unknown_in, unknown_warnings
from seqlab.data.words import NAMES, SEPARATOR, Normalization, Unit, characters, normalized, too_long
from seqlab.errors import ConfigError, DataError
from seqlab.metrics.generation import GenerationMeter, beside_targets, text_baselines, uniform_baseline
from seqlab.metrics.text import BleuTokenizer, TextScores, choose_bleu_tokenizer
from seqlab.networks.text_to_text import TextToText


@config_dataclass(frozen=True, kw_only=True)
class TextToTextConfig(TokenConfig):
    """Settings of every text-to-text task.

    tokens: as for TokenConfig; words are separated by spaces; two files joined by a comma are those of source and
    target. joint_vocabulary: one for both sides, rather than one for each. normalize: nfc composes accents with their
    letters, on both sides. vocabulary_size: tokens of each vocabulary. max_length: tokens of a source or a
    target; longer training pairs are counted and left out. batch_tokens: positions of a training batch, source and
    target, padding counted; null: batch_size pairs. metric: chooses the best checkpoint. bleu_tokenizer: sacreBLEU's;
    auto: by the references.
    """

    training_settings: ClassVar[tuple[str, ...]] = (
        "batch_size", "batch_tokens", "eval_batch_size", "tokens", "joint_vocabulary", "vocabulary_size", "max_length",
        "label_smoothing",
    )  # fmt: skip

    joint_vocabulary: bool
    normalize: Normalization
    vocabulary_size: VocabularySize
    max_length: Count
    batch_size: Count
    batch_tokens: Count | None
    eval_batch_size: Count
    label_smoothing: Probability
    metric: Literal["exact_match", "bleu"]
    bleu_tokenizer: BleuTokenizer

    def __post_init__(self) -> None:
        check_size(self.tokens, self.vocabulary_size)

    def scores(self, references: Iterable[str]) -> TextScores:
        """The scores of texts against such references."""
        return TextScores(choose_bleu_tokenizer(self.bleu_tokenizer, references))


class TextToTextGeneration(Restorable, Task[PairBatch]):
    """Pairs of texts in three splits, and a vocabulary for each side. target_name: the target's name in predictions."""

    generation_options = ("beams", "length_penalty")
    target_name: ClassVar[str] = "target"
    config: TextToTextConfig

    def __init__(self, pairs: dict[Split, list[Pair]], config: TextToTextConfig) -> None:
        """pairs: (source, target) of each split. Raises DataError if all of training are too long."""
        self.config = config
        self.test_is_validation = pairs["test"] == pairs["validation"]
        self._keep(pairs)
        if self.unit == "subword":
            self.text_to_text = self._between(*self._subwords())
        tokens = {split: self._tokens(split) for split in self.pairs}
        kept = [pair for pair in tokens["train"] if max(map(len, pair)) < config.max_length]
        if not kept:
            raise DataError(
                f"task.max_length={config.max_length} leaves out every training pair",
                f"try task.max_length={1 + min(max(map(len, pair)) for pair in tokens['train'])}",
            )
        self.left_out = len(tokens["train"]) - len(kept)
        self.cut = sum(max(map(len, pair)) >= config.max_length for split in HELD_OUT for pair in tokens[split])
        tokens["train"] = kept
        if self.unit != "subword":
            sides = ([*chain(*kept)],) * 2 if config.joint_vocabulary else zip(*kept, strict=True)
            self.text_to_text = self._between(*(Vocabulary.of(side, size=config.vocabulary_size) for side in sides))
        self.encoded = {split: self.text_to_text.encode(part) for split, part in tokens.items()}
        self.longest_side = max(max(part.longest_source, part.longest_target) for part in self.encoded.values())
        self.trained_sides = (self.encoded["train"].longest_source, self.encoded["train"].longest_target)

    def with_stored_vocabulary(self, config: TextToTextConfig, vocabulary: Mapping[str, Any]) -> Self:
        """The restored task with its run's stored vocabulary, for TaskConfig.restore."""
        self.config, self.longest_side = config, int(vocabulary["longest_side"])
        source, target = map(int, vocabulary["trained_sides"])
        self.trained_sides = (source, target)
        self.text_to_text = self._between(*map(restored, (vocabulary["sources"], vocabulary["targets"])))
        return self

    def tested_on(self, pairs: list[Pair]) -> Self:
        """The task with these pairs alone as its test split, for `with_test_corpus`."""
        task = self.detached()
        task._keep({"test": pairs})
        task.encoded = {"test": self.text_to_text.encode(task._tokens("test"))}
        task.test_is_validation = False
        return task

    def _keep(self, pairs: dict[Split, list[Pair]]) -> None:
        form = self.config.normalize
        self.data_sha256 = sha256_of(text for part in pairs.values() for pair in part for text in pair)
        self.pairs = {
            split: [(normalized(a, form), normalized(b, form)) for a, b in part] for split, part in pairs.items()
        }
        self.scores = self.config.scores(target for split in HELD_OUT for _, target in self.pairs.get(split, ()))

    def _tokens(self, split: Split) -> list[tuple[list[str], list[str]]]:
        return [(self.tokenize(a), self.tokenize(b, target=True)) for a, b in self.pairs[split]]

    def _subwords(self) -> Iterator[Vocabulary]:
        """Those of the sources and those of the targets, from the training pairs, or from the user's files."""
        tokens, size, pairs = self.config.tokens, self.config.vocabulary_size, self.pairs["train"]
        files, joint = (tokens, tokens) if tokens in LEARNED else files_of(tokens), self.config.joint_vocabulary
        if len(files) == 1 or (joint and tokens in LEARNED):
            yield from [subword_vocabulary(files[0], chain.from_iterable(pairs), size)] * 2
        elif joint:
            what = f"task.joint_vocabulary=true is one vocabulary, and task.tokens={tokens} names two"
            raise ConfigError(what, "give one tokenizer.json, or task.joint_vocabulary=false")
        else:
            for name, texts in zip(files, zip(*pairs, strict=True), strict=True):
                yield subword_vocabulary(name, texts, size)

    def _between(self, sources: Vocabulary, targets: Vocabulary) -> TextToText:
        return TextToText(self.tokenize, sources, targets, self.config.max_length, SEPARATOR[self.unit])

    @property
    def unit(self) -> Unit:
        """What the tokens are."""
        return unit_of(self.config.tokens)

    def tokenize(self, text: str, *, target: bool = False) -> list[str]:
        """A source as the network reads it, or a target as it writes it, uncut."""
        text = normalized(text, self.config.normalize)
        if self.unit != "subword":
            return characters(text) if self.unit == "char" else text.split()
        vocabulary = self.text_to_text.targets if target else self.text_to_text.sources
        assert isinstance(vocabulary, Subwords)
        return vocabulary.split(text)

    def batches(self, split: Split, seed: int) -> Iterator[PairBatch]:
        pairs, config = self.encoded[split], self.config
        if split == "train":
            return pairs.batches(config.batch_size, seed, config.batch_tokens)
        return pairs.batches(config.eval_batch_size, None, None)

    def build_network(self, model: ModelConfig) -> Network[PairBatch]:
        return self.text_to_text.network(model, label_smoothing=self.config.label_smoothing)

    def longest(self) -> int:
        return self.longest_side

    def trained_positions(self, part: str) -> int:
        """Of sources for the encoder, of targets with their end for the decoder."""
        return self.trained_sides[part.split(".")[0] != "encoder"]

    def heldout_sha256(self) -> str:
        return sha256_of(text for split in HELD_OUT for pair in self.pairs[split] for text in pair)

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return self.text_to_text.embedding_tokens()

    def stored_vocabulary(self) -> Mapping[str, Any]:
        sources, targets = self.text_to_text.sources, self.text_to_text.targets
        return {
            "sources": stored(sources, FILES[0] if sources == targets else FILES[1]),
            "targets": stored(targets, FILES[0] if sources == targets else FILES[2]),
            "longest_side": self.longest_side, "trained_sides": self.trained_sides,
        }  # fmt: skip

    def meter(self, split: Split) -> GenerationMeter[PairBatch]:
        sources, targets = zip(*self.pairs[split], strict=True)
        return GenerationMeter(
            self.text_to_text.write, targets, self.scores, self.config.metric, sources=sources,
            length_of=lambda text: len(self.tokenize(text)), unit=NAMES[self.unit],
        )  # fmt: skip

    def describe(self) -> Mapping[str, int | str]:
        unit = NAMES[self.unit]
        return {
            **{f"{split} pairs": len(pairs.ids) for split, pairs in self.encoded.items()},
            f"source {unit}": len(self.text_to_text.sources),
            f"target {unit}": len(self.text_to_text.targets),
            "BLEU tokenizer": self.scores.tokenizer,
            **unknown_facts(self.encoded, self.unit),
            f"training pairs left out at {self.config.max_length} {unit}": self.left_out,
            f"other pairs cut at {self.config.max_length} {unit}": self.cut,
        }

    def warnings(self) -> Iterable[str]:
        return unknown_warnings(self.encoded, self.unit)

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        return unknown_in(self.encoded[split], self.unit)

    def samples(self, network: Network[PairBatch], seed: int) -> str:
        pairs = self.pairs["validation"]
        chosen = random.Random(seed).sample(pairs, min(8, len(pairs)))
        return beside_targets(chosen, self.text_to_text.predict(network, [source for source, _ in chosen]))

    def chance(self, split: Split) -> Baseline:
        return uniform_baseline(len(self.text_to_text.targets))

    def baselines(self) -> Iterator[Baseline]:
        return text_baselines(self.pairs["train"], self.pairs["test"], self.scores)

    def predict(self, network: Network[PairBatch], text: str, generation: GenerationConfig) -> Prediction:
        (target,) = self.text_to_text.predict(network, [text], generation)
        return Prediction(target, {self.target_name: target})

    def unknown(self, text: str) -> tuple[str, ...]:
        return self.text_to_text.sources.unknown(self.tokenize(text))

    def unread(self, text: str) -> str:
        return too_long(len(self.tokenize(text)), self.config.max_length - 1, self.unit)

    def example_text(self, length: int) -> str:
        """The source of the split whose length is nearest to a third of `length`, so that both sides fit."""
        sources = (source for source, _ in self.pairs["validation"])
        return min(sources, key=lambda text: abs(3 * len(self.tokenize(text)) - length))

    def example(self, network: Network[PairBatch], text: str) -> Example[PairBatch]:
        return self.text_to_text.example(network, text)
