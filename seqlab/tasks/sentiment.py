"""Sentiment: one label for a whole text (many-to-one)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, Split
from seqlab.core.example import Example
from seqlab.core.fields import Count, Probability, WholeNumber
from seqlab.core.model import ModelConfig, context_of
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.task import Task, TaskConfig
from seqlab.data.batches import LabelledBatch
from seqlab.data.encoded_texts import EncodedTexts
from seqlab.data.files import find_corpus, sha256_of
from seqlab.data.labelled_splits import Row, labelled_sha256, split_labelled
from seqlab.data.labels import read_labelled
from seqlab.data.movie_reviews import movie_reviews
from seqlab.data.restored import Restorable
from seqlab.data.splits import SplitCorpora, check_known_labels
from seqlab.data.tables import Separator
from seqlab.data.vocabulary import (
    UNKNOWN,
    Vocabulary,
    VocabularySize,
    held_out_unknown,
    unknown_facts,
    unknown_in,
    unknown_warnings,
)  # fmt: skip
from seqlab.data.words import NAMES, SPLIT, Normalization, Unit, normalized, too_long
from seqlab.errors import DataError
from seqlab.metrics import classification
from seqlab.networks.classifier import Classifier, Pooling, probabilities

CORPORA = {"movie_reviews": movie_reviews}
_HELD_SHARE = 0.1  # of the corpus, for validation and for test


@config_dataclass(frozen=True, kw_only=True)
class SentimentConfig(SplitCorpora, TaskConfig):
    """Settings of `task=sentiment`.

    corpus: `movie_reviews`, or the path of a CSV, TSV or JSON Lines file with a text and a label in each row.
    validation_corpus, test_corpus: the same for these splits alone. text_column, label_column: by their names in the
    header, or by their numbers, from 1. header: the first row names the columns. separator: of the fields, one
    character or `tab`; null: found from the first rows.
    unit: what a token is, in lower case; char is for scripts without spaces. normalize: nfc composes accents with their
    letters first. batch_tokens: tokens of a training batch, padding counted; null: batch_size texts.
    bidirectional: read each text in both directions. pooling: how the valid positions become one vector.
    vocabulary_size, min_count: tokens kept from the training split. word_dropout: probability that a
    training token is read as unknown. max_length: tokens read of a text; longer ones are counted and cut.
    deduplicate: training texts that stand in validation or test too, case and white space aside, are left out.
    metric: what the task is judged by, and chooses the best checkpoint. split_seed: of the fixed stratified split.
    """

    before: ClassVar[Mapping[str, Any]] = {"deduplicate": False}

    training_settings = (
        "batch_size", "batch_tokens", "unit", "bidirectional", "pooling", "vocabulary_size", "min_count",
        "word_dropout", "max_length",
    )  # fmt: skip
    reading_settings = ("text_column", "label_column", "separator", "header")

    corpus: str
    text_column: str
    label_column: str
    separator: Separator | None
    header: bool
    unit: Unit
    normalize: Normalization
    batch_size: Count
    batch_tokens: Count | None
    bidirectional: bool
    pooling: Pooling
    vocabulary_size: VocabularySize
    min_count: Count
    word_dropout: Probability
    max_length: Count
    deduplicate: bool
    metric: Literal["accuracy", "f1"]
    split_seed: WholeNumber

    def build(self) -> Sentiment:
        return Sentiment(self.read(self.corpus, "task.corpus"), self, self.read_held_out(self.read))

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Sentiment:
        task = Sentiment.restored(read)
        task.config, task.tokens = self, Vocabulary.restored(vocabulary["tokens"])
        task.labels, task.longest_text = tuple(map(str, vocabulary["labels"])), int(vocabulary["longest_text"])
        task.trained_text = int(vocabulary["trained_text"])
        return task

    def read(self, where: str, key: str) -> list[Row]:
        """(text, label) of each row of a corpus by its name, or of a file."""
        if where in CORPORA:
            return CORPORA[where]()
        path = find_corpus(where, key, CORPORA, "a CSV, TSV or JSON Lines file with a text and a label column")
        columns = (self.text_column, self.label_column)
        return read_labelled(path, key, *columns, separator=self.separator, header=self.header)


class Sentiment(Restorable, Task[LabelledBatch]):
    """Labelled texts in a fixed stratified split, and the tokens that training knows."""

    window_setting = "task.max_length"

    def __init__(
        self, items: list[Row], config: SentimentConfig, given: Mapping[Split, list[Row]] | None = None
    ) -> None:
        self.config, given = config, given or {}
        self.data_sha256 = labelled_sha256(items, given)
        self.splits = split_labelled(
            items, given, held_share=_HELD_SHARE, seed=config.split_seed, deduplicate=config.deduplicate,
            corpus=config.corpus, label_column=config.label_column, held_out=config.held_out(),
        )  # fmt: skip
        parts, self.labels = self.splits.parts, self.splits.labels
        self.test_is_validation = parts["test"] == parts["validation"]
        self.texts = {split: [text for text, _ in part] for split, part in parts.items()}
        tokens = {split: [self.tokenize(text) for text in texts] for split, texts in self.texts.items()}
        self.cut = sum(len(row) > config.max_length for rows in tokens.values() for row in rows)
        self.tokens = Vocabulary.of(tokens["train"], size=config.vocabulary_size, min_count=config.min_count)
        self.encoded = {split: self._encode(rows, parts[split]) for split, rows in tokens.items()}
        self.longest_text = max(texts.longest for texts in self.encoded.values())
        self.trained_text = self.encoded["train"].longest

    def _encode(self, tokens: Iterable[list[str]], rows: list[Row]) -> EncodedTexts:
        """Tokens of texts, cut, with the labels of their rows; a text without any token still needs one position."""
        ids = [(self.tokens.encode(row) or [UNKNOWN])[: self.config.max_length] for row in tokens]
        return EncodedTexts(ids, [self.labels.index(label) for _, label in rows])

    def tokenize(self, text: str) -> list[str]:
        """A text as the network reads it, uncut."""
        return SPLIT[self.config.unit](normalized(text, self.config.normalize).lower())

    def batches(self, split: Split, seed: int) -> Iterator[LabelledBatch]:
        texts, config = self.encoded[split], self.config
        if split != "train":
            return texts.batches(config.batch_size, None)
        return texts.batches(config.batch_size, seed, config.batch_tokens, config.word_dropout)

    def build_network(self, model: ModelConfig) -> Classifier:
        pooling, bidirectional = self.config.pooling, self.config.bidirectional
        return Classifier(len(self.tokens), len(self.labels), model, pooling=pooling, bidirectional=bidirectional)

    def longest_window(self) -> int:
        return self.config.max_length

    def longest(self) -> int:
        return self.longest_text

    def trained_positions(self, part: str) -> int:
        return self.trained_text

    def vocabulary(self) -> Iterable[str]:
        return (*self.tokens.tokens, *self.labels)

    def heldout_sha256(self) -> str:
        return sha256_of(part for split in HELD_OUT for row in self.splits.parts[split] for part in row)

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return {"embed": self.tokens.tokens}

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {
            "tokens": self.tokens.tokens, "labels": self.labels, "longest_text": self.longest_text,
            "trained_text": self.trained_text,
        }  # fmt: skip

    def meter(self, split: Split) -> classification.ClassificationMeter:
        return classification.ClassificationMeter(self.labels, self.texts[split], self.config.metric)

    def describe(self) -> Mapping[str, int | str]:
        unit = NAMES[self.config.unit]
        return {
            "corpus": self.config.corpus,
            **self.config.named_corpora(),
            **{f"{split} texts": len(texts) for split, texts in self.texts.items()},
            "labels": self.splits.described_labels(),
            "vocabulary": len(self.tokens),
            **self.splits.describe(),
            **unknown_facts(held_out_unknown(self.encoded, self.config.unit)),
            f"texts cut at {self.config.max_length} {unit}": self.cut,
        }

    def warnings(self) -> Iterable[str]:
        yield from self.splits.warnings()
        yield from unknown_warnings(held_out_unknown(self.encoded, self.config.unit), self.config.unit)

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Sentiment:
        assert isinstance(config, SentimentConfig)
        items = config.read(where, key)
        check_known_labels(self.labels, items, f"{key}={where}")
        task = self.detached()
        task.data_sha256, task.test_is_validation = labelled_sha256(items, {}), False
        task.texts = {"test": [text for text, _ in items]}
        task.encoded = {"test": self._encode(map(self.tokenize, task.texts["test"]), items)}
        return task

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        return unknown_in(self.encoded[split], self.config.unit)

    def samples(self, network: Network[LabelledBatch], seed: int) -> str:
        rows = self.splits.parts["validation"]
        texts, labels = zip(*random.Random(seed).sample(rows, min(6, len(rows))), strict=True)
        return classification.beside_labels(texts, self.classify(network, texts), labels)

    def chance(self, split: Split) -> Baseline:
        return classification.majority_baseline(self.encoded["train"].labels, self.encoded[split].labels, self.labels)

    def baselines(self) -> Iterator[Baseline]:
        yield self.chance("test")
        encoded = {split: (part.ids, part.labels) for split, part in self.encoded.items()}
        yield classification.bag_of_words_baseline(encoded, len(self.labels))

    def predict(self, network: Network[LabelledBatch], text: str, generation: GenerationConfig) -> Prediction:
        (shares,) = self.classify(network, [text])
        return classification.ranked_labels(shares)

    def unknown(self, text: str) -> tuple[str, ...]:
        return self.tokens.unknown(self.tokenize(text))

    def unread(self, text: str) -> str:
        return too_long(len(self.tokenize(text)), self.config.max_length, self.config.unit)

    def example_text(self, length: int) -> str:
        """The first text of the split with about so many tokens."""
        return min(self.texts["validation"], key=lambda text: abs(len(self.tokenize(text)) - length))

    def example(self, network: Network[LabelledBatch], text: str) -> Example[LabelledBatch]:
        tokens = self.tokenize(text)
        if not tokens:
            raise DataError("there is nothing to look at", "give a text of one word or more")
        read = tokens[: min(self.config.max_length, context_of(network) or len(tokens))]
        return Example(self._batch([text]), tuple(read), truncated=len(tokens) - len(read))

    def _batch(self, texts: Sequence[str]) -> LabelledBatch:
        """Texts whose labels nobody knows."""
        return self._encode(map(self.tokenize, texts), [(text, self.labels[0]) for text in texts]).whole()

    def classify(self, network: Network[LabelledBatch], texts: Sequence[str]) -> list[dict[str, float]]:
        """For each text the probability of each label."""
        return [dict(zip(self.labels, row, strict=True)) for row in probabilities(network, self._batch(texts))]
