"""Translation: one sequence into another (many-to-many, encoder-decoder)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, Split
from seqlab.core.example import Example
from seqlab.core.fields import Count, Probability, WholeNumber
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.task import Task, TaskConfig
from seqlab.data.batches import PairBatch
from seqlab.data.cldr import cldr_pairs, find_locale
from seqlab.data.files import sha256_of
from seqlab.data.pair_splits import PairSplits, read_whole, split_read_pairs
from seqlab.data.pairs import ReadPairs, read_pairs
from seqlab.data.restored import Restorable
from seqlab.data.splits import SplitCorpora
from seqlab.data.vocabulary import (
    Vocabulary,
    VocabularySize,
    held_out_unknown,
    unknown_facts,
    unknown_in,
    unknown_warnings,
)  # fmt: skip
from seqlab.data.words import NAMES, Normalization, Unit, characters, normalized, too_long
from seqlab.errors import DataError
from seqlab.metrics.generation import GenerationMeter, beside_targets, text_baselines, uniform_baseline
from seqlab.metrics.text import BleuTokenizer, TextScores, choose_bleu_tokenizer
from seqlab.networks.text_to_text import TextToText

CORPORA = ("cldr",)
_HELD_SHARE = 0.05  # of the corpus, for validation and for test


@config_dataclass(frozen=True, kw_only=True)
class TranslationConfig(SplitCorpora, TaskConfig):
    """Settings of `task=translation`.

    corpus: `cldr`, the path of a TSV file (source, translation), or two line-aligned files joined by a
    comma, plain or .gz. validation_corpus, test_corpus: the same for splits of their own; null cuts 5 % of
    the corpus for each. target: Babel's name of the language to translate into (cldr). pairs: how many
    phrases to make (cldr). unit: what a token is; words are what spaces separate. normalize: nfc composes accents with
    their letters, on both sides. vocabulary_size: tokens kept of each side.
    max_length: tokens of a source or a target; longer training pairs are counted and left out.
    batch_tokens: positions of a training batch, source and target, padding counted; null: batch_size pairs.
    metric: what chooses the best checkpoint. bleu_tokenizer: sacreBLEU's name of one; auto: what fits the language
    (of target with cldr) or the script of the references. deduplicate: training pairs whose source stands in
    validation or test are left out also where it differs in case. repeated_sources: which of its translations a source
    keeps in training.
    """

    before: ClassVar[Mapping[str, Any]] = {"deduplicate": False, "repeated_sources": "first"}

    training_settings = (
        "batch_size", "batch_tokens", "eval_batch_size", "unit", "vocabulary_size", "max_length", "label_smoothing",
    )  # fmt: skip

    corpus: str
    target: str
    pairs: Count
    unit: Unit
    normalize: Normalization
    vocabulary_size: VocabularySize
    max_length: Count
    batch_size: Count
    batch_tokens: Count | None
    eval_batch_size: Count
    label_smoothing: Probability
    metric: Literal["exact_match", "bleu"]
    bleu_tokenizer: BleuTokenizer
    deduplicate: bool
    repeated_sources: Literal["all", "first"]
    split_seed: WholeNumber

    def build(self) -> Translation:
        if self.corpus == "cldr":
            find_locale(self.target)
            found = ReadPairs(cldr_pairs(self.target, self.pairs, self.split_seed))
        else:
            found = read_pairs(self.corpus, "task.corpus")
        splits = split_read_pairs(
            found, self.read_held_out(read_pairs), self.corpus, held_share=_HELD_SHARE, seed=self.split_seed,
            all_translations=self.repeated_sources == "all", deduplicate=self.deduplicate,
        )  # fmt: skip
        return Translation(splits, self)

    def scores(self, references: Iterable[str]) -> TextScores:
        """What translations are judged by, beside references such as these."""
        language = self.target if self.corpus == "cldr" else None
        return TextScores(choose_bleu_tokenizer(self.bleu_tokenizer, references, language))

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Translation:
        task = Translation.restored(read)
        task.config, task.longest_side = self, int(vocabulary["longest_side"])
        source, target = map(int, vocabulary["trained_sides"])
        task.trained_sides = (source, target)
        task.texts = self.text_to_text(*map(Vocabulary.restored, (vocabulary["sources"], vocabulary["targets"])))
        return task

    def tokenize(self, text: str) -> list[str]:
        """A source or a target as the network reads or writes it, uncut."""
        split = characters if self.unit == "char" else str.split
        return split(normalized(text, self.normalize))

    def text_to_text(self, sources: Vocabulary, targets: Vocabulary) -> TextToText:
        """From the tokens of one side to those of the other."""
        return TextToText(self.tokenize, sources, targets, self.max_length, "" if self.unit == "char" else " ")


class Translation(Restorable, Task[PairBatch]):
    """Pairs in three splits, and a vocabulary for each side."""

    generation_options = ("beams", "length_penalty")

    def __init__(self, splits: PairSplits, config: TranslationConfig) -> None:
        self.config, self.splits, parts = config, splits, splits.parts
        self.test_is_validation = parts["test"] == parts["validation"]
        self.data_sha256 = sha256_of(text for part in parts.values() for pair in part for text in pair)
        form = config.normalize
        parts = {split: [(normalized(a, form), normalized(b, form)) for a, b in part] for split, part in parts.items()}
        self.pairs = parts
        self.scores = config.scores(target for split in ("validation", "test") for _, target in parts[split])
        train = self._tokenized("train")
        kept = [(a, b) for a, b in train if max(len(a), len(b)) < config.max_length]
        self.left_out = len(train) - len(kept)
        if not kept:
            raise DataError(
                f"task.max_length={config.max_length} leaves out every training pair",
                f"try task.max_length={1 + min(max(len(a), len(b)) for a, b in train)}",
            )
        sides = (Vocabulary.of(side, size=config.vocabulary_size) for side in zip(*kept, strict=True))
        self.texts = config.text_to_text(*sides)
        held = {split: self._tokenized(split) for split in HELD_OUT}
        self.cut = sum(max(len(a), len(b)) >= config.max_length for pairs in held.values() for a, b in pairs)
        tokens: dict[Split, list[tuple[list[str], list[str]]]] = {"train": kept, **held}
        self.encoded = {split: self.texts.encode(pairs) for split, pairs in tokens.items()}
        self.longest_side = max(max(pairs.longest_source, pairs.longest_target) for pairs in self.encoded.values())
        self.trained_sides = (self.encoded["train"].longest_source, self.encoded["train"].longest_target)

    def _tokenized(self, split: Split) -> list[tuple[list[str], list[str]]]:
        tokenize = self.config.tokenize
        return [(tokenize(a), tokenize(b)) for a, b in self.pairs[split]]

    def batches(self, split: Split, seed: int) -> Iterator[PairBatch]:
        pairs, config = self.encoded[split], self.config
        if split == "train":
            return pairs.batches(config.batch_size, seed, config.batch_tokens)
        return pairs.batches(config.eval_batch_size, None, None)

    def build_network(self, model: ModelConfig) -> Network[PairBatch]:
        return self.texts.network(model, label_smoothing=self.config.label_smoothing)

    def longest(self) -> int:
        return self.longest_side

    def trained_positions(self, part: str) -> int:
        """Of sources for the encoder, of translations with their end for the decoder."""
        return self.trained_sides[part.split(".")[0] != "encoder"]

    def heldout_sha256(self) -> str:
        return sha256_of(text for split in HELD_OUT for pair in self.pairs[split] for text in pair)

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return self.texts.embedding_tokens()

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {
            "sources": self.texts.sources.tokens, "targets": self.texts.targets.tokens,
            "longest_side": self.longest_side, "trained_sides": self.trained_sides,
        }  # fmt: skip

    def meter(self, split: Split) -> GenerationMeter[PairBatch]:
        sources, targets = zip(*self.pairs[split], strict=True)
        metric, unit = self.config.metric, NAMES[self.config.unit]
        return GenerationMeter(
            self.texts.write, targets, self.scores, metric, sources=sources, length_of=self._length, unit=unit
        )

    def _length(self, text: str) -> int:
        return len(self.config.tokenize(text))

    def describe(self) -> Mapping[str, int | str]:
        unit = NAMES[self.config.unit]
        return {
            "corpus": self.config.corpus if self.config.corpus != "cldr" else f"cldr, en to {self.config.target}",
            **self.config.named_corpora(),
            **{f"{split} pairs": len(pairs.ids) for split, pairs in self.encoded.items()},
            f"source {unit}": len(self.texts.sources),
            f"target {unit}": len(self.texts.targets),
            "BLEU tokenizer": self.scores.tokenizer,
            **self.splits.facts,
            **unknown_facts(held_out_unknown(self.encoded, self.config.unit)),
            f"training pairs left out at {self.config.max_length} {unit}": self.left_out,
            f"other pairs cut at {self.config.max_length} {unit}": self.cut,
        }

    def warnings(self) -> Iterable[str]:
        yield from self.splits.warnings
        yield from unknown_warnings(held_out_unknown(self.encoded, self.config.unit), self.config.unit)

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Translation:
        pairs = read_whole(where, key)
        task, form = self.detached(), self.config.normalize
        task.data_sha256, task.test_is_validation = sha256_of(text for pair in pairs for text in pair), False
        pairs = [(normalized(a, form), normalized(b, form)) for a, b in pairs]
        task.scores = self.config.scores(target for _, target in pairs)
        task.pairs = {"test": pairs}
        task.encoded = {"test": self.texts.encode(task._tokenized("test"))}
        return task

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        return unknown_in(self.encoded[split], self.config.unit)

    def samples(self, network: Network[PairBatch], seed: int) -> str:
        pairs = self.pairs["validation"]
        chosen = [pairs[i] for i in random.Random(seed).sample(range(len(pairs)), min(8, len(pairs)))]
        return beside_targets(chosen, self.texts.predict(network, [source for source, _ in chosen]))

    def chance(self, split: Split) -> Baseline:
        return uniform_baseline(len(self.texts.targets))

    def baselines(self) -> Iterator[Baseline]:
        return text_baselines(self.pairs["train"], self.pairs["test"], self.scores)

    def predict(self, network: Network[PairBatch], text: str, generation: GenerationConfig) -> Prediction:
        (translation,) = self.texts.predict(network, [text], generation)
        return Prediction(translation, {"translation": translation})

    def unknown(self, text: str) -> tuple[str, ...]:
        return self.texts.sources.unknown(self.config.tokenize(text))

    def unread(self, text: str) -> str:
        return too_long(self._length(text), self.config.max_length - 1, self.config.unit)

    def example_text(self, length: int) -> str:
        """The source of the split whose length is nearest to a third of that: both sides are to fit."""
        sources = (source for source, _ in self.pairs["validation"])
        return min(sources, key=lambda text: abs(3 * self._length(text) - length))

    def example(self, network: Network[PairBatch], text: str) -> Example[PairBatch]:
        return self.texts.example(network, text)
