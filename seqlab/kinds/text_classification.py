"""Text classification: one label for a whole text (many-to-one)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, Split
from seqlab.core.example import Example
from seqlab.core.fields import Count, Probability
from seqlab.core.model import ModelConfig, context_of
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.task import Task
from seqlab.data.batches import LabelledBatch
from seqlab.data.encoded_texts import EncodedTexts
from seqlab.data.files import sha256_of
from seqlab.data.labelled_splits import Row, labelled_sha256
from seqlab.data.labels import label_counts
from seqlab.data.restored import Restorable
from seqlab.data.splits import check_known_labels
from seqlab.data.subwords import Subwords
from seqlab.data.tokens import TokenConfig, check_size, restored, stored, subword_vocabulary, unit_of
from seqlab.data.vocabulary import UNKNOWN, Vocabulary, VocabularySize, unknown_facts, unknown_in, unknown_warnings
from seqlab.data.words import NAMES, SPLIT, Normalization, Unit, normalized, too_long
from seqlab.errors import DataError
from seqlab.metrics import classification
from seqlab.networks.classifier import Classifier, Pooling, probabilities


@config_dataclass(frozen=True, kw_only=True)
class TextClassificationConfig(TokenConfig):
    """Settings of every text classification task.

    tokens: as for TokenConfig; texts are lower-cased, whatever the tokens; char is for scripts without spaces.
    normalize: nfc composes accents with their letters first. batch_tokens: tokens of a training batch, padding counted;
    null: batch_size texts. bidirectional: read each text in both directions. pooling: how the valid positions become
    one vector. vocabulary_size, min_count: tokens kept from the training split. word_dropout: probability that a
    training token is read as unknown. max_length: tokens read of a text; longer ones are counted and cut.
    metric: the primary metric, which chooses the best checkpoint.
    """

    training_settings: ClassVar[tuple[str, ...]] = (
        "batch_size", "batch_tokens", "tokens", "bidirectional", "pooling", "vocabulary_size", "min_count",
        "word_dropout", "max_length",
    )  # fmt: skip

    normalize: Normalization
    batch_size: Count
    batch_tokens: Count | None
    bidirectional: bool
    pooling: Pooling
    vocabulary_size: VocabularySize
    min_count: Count
    word_dropout: Probability
    max_length: Count
    metric: Literal["accuracy", "f1"]

    def __post_init__(self) -> None:
        check_size(self.tokens, self.vocabulary_size)


class TextClassification(Restorable, Task[LabelledBatch]):
    """Labelled texts in three splits, and the vocabulary of training."""

    window_setting = "task.max_length"
    config: TextClassificationConfig
    token_vocabulary: Vocabulary

    def __init__(self, rows: dict[Split, list[Row]], labels: Iterable[str], config: TextClassificationConfig) -> None:
        """rows: (text, label) of each split. labels: every label, in the order of ids."""
        self.config, self.labels, self.rows = config, tuple(labels), rows
        self.test_is_validation = rows["test"] == rows["validation"]
        self.texts = {split: [text for text, _ in part] for split, part in rows.items()}
        if self.unit == "subword":
            train = map(self._lowered, self.texts["train"])
            self.token_vocabulary = subword_vocabulary(config.tokens, train, config.vocabulary_size)
        tokens = {split: [self.tokenize(text) for text in texts] for split, texts in self.texts.items()}
        self.cut = sum(len(row) > config.max_length for rows in tokens.values() for row in rows)
        if self.unit != "subword":
            size, least = config.vocabulary_size, config.min_count
            self.token_vocabulary = Vocabulary.of(tokens["train"], size=size, min_count=least)
        self.encoded = {split: self._encode(part, rows[split]) for split, part in tokens.items()}
        self.longest_text = max(texts.longest for texts in self.encoded.values())
        self.trained_text = self.encoded["train"].longest

    def with_stored_vocabulary(self, config: TextClassificationConfig, vocabulary: Mapping[str, Any]) -> Self:
        """The restored task with its run's stored vocabulary, for TaskConfig.restore."""
        self.config, self.token_vocabulary = config, restored(vocabulary["tokens"])
        self.labels, self.longest_text = tuple(map(str, vocabulary["labels"])), int(vocabulary["longest_text"])
        self.trained_text = int(vocabulary["trained_text"])
        return self

    def tested_on(self, rows: list[Row], what: str) -> Self:
        """The task with these rows alone as its test split, for `with_test_corpus`. `what` names them in messages."""
        check_known_labels(self.labels, rows, what)
        task = self.detached()
        task.data_sha256, task.test_is_validation = labelled_sha256(rows, {}), False
        task.rows, task.texts = {"test": rows}, {"test": [text for text, _ in rows]}
        task.encoded = {"test": self._encode(map(self.tokenize, task.texts["test"]), rows)}
        return task

    def _encode(self, tokens: Iterable[list[str]], rows: Sequence[Row]) -> EncodedTexts:
        """Tokenized texts, cut, with the labels of their rows; a text without tokens still needs one position."""
        ids = [(self.token_vocabulary.encode(row) or [UNKNOWN])[: self.config.max_length] for row in tokens]
        return EncodedTexts(ids, [self.labels.index(label) for _, label in rows])

    def tokenize(self, text: str) -> list[str]:
        """A text as the network reads it, uncut."""
        if self.unit == "subword":
            assert isinstance(self.token_vocabulary, Subwords)
            return self.token_vocabulary.split(self._lowered(text))
        return SPLIT[self.unit](self._lowered(text))

    @property
    def unit(self) -> Unit:
        """What the tokens are."""
        return unit_of(self.config.tokens)

    def _lowered(self, text: str) -> str:
        return normalized(text, self.config.normalize).lower()

    def batches(self, split: Split, seed: int) -> Iterator[LabelledBatch]:
        texts, config = self.encoded[split], self.config
        if split != "train":
            return texts.batches(config.batch_size, None)
        return texts.batches(config.batch_size, seed, config.batch_tokens, config.word_dropout)

    def build_network(self, model: ModelConfig) -> Classifier:
        tokens, pooling, bidirectional = len(self.token_vocabulary), self.config.pooling, self.config.bidirectional
        return Classifier(tokens, len(self.labels), model, pooling=pooling, bidirectional=bidirectional)

    def longest_window(self) -> int:
        return self.config.max_length

    def longest(self) -> int:
        return self.longest_text

    def trained_positions(self, part: str) -> int:
        return self.trained_text

    def vocabulary(self) -> Iterable[str]:
        return (*self.token_vocabulary.tokens, *self.labels)

    @cached_property
    def data_sha256(self) -> str:
        """Digest of the rows, unless a subclass has set one, as of a whole corpus."""
        return labelled_sha256(self.rows["train"], {split: self.rows[split] for split in HELD_OUT})

    def heldout_sha256(self) -> str:
        return sha256_of(part for split in HELD_OUT for row in self.rows[split] for part in row)

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return {"embed": self.token_vocabulary.tokens}

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {
            "tokens": stored(self.token_vocabulary), "labels": self.labels, "longest_text": self.longest_text,
            "trained_text": self.trained_text,
        }  # fmt: skip

    def meter(self, split: Split) -> classification.ClassificationMeter[LabelledBatch]:
        return classification.ClassificationMeter(self.labels, self.texts[split], self.config.metric)

    def describe(self) -> Mapping[str, int | str]:
        unit = self.unit
        return {
            **{f"{split} texts": len(texts) for split, texts in self.texts.items()},
            "labels": label_counts(Counter(label for _, label in self.rows["train"])),
            "vocabulary": len(self.token_vocabulary),
            **unknown_facts(self.encoded, unit),
            f"texts cut at {self.config.max_length} {NAMES[unit]}": self.cut,
        }

    def warnings(self) -> Iterable[str]:
        return unknown_warnings(self.encoded, self.unit)

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        return unknown_in(self.encoded[split], self.unit)

    def samples(self, network: Network[LabelledBatch], seed: int) -> str:
        rows = self.rows["validation"]
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
        return self.token_vocabulary.unknown(self.tokenize(text))

    def unread(self, text: str) -> str:
        return too_long(len(self.tokenize(text)), self.config.max_length, self.unit)

    def example_text(self, length: int) -> str:
        """The text of the split whose number of tokens is nearest to `length`."""
        return min(self.texts["validation"], key=lambda text: abs(len(self.tokenize(text)) - length))

    def example(self, network: Network[LabelledBatch], text: str) -> Example[LabelledBatch]:
        tokens = self.tokenize(text)
        if not tokens:
            raise DataError("there is nothing to look at", "give a text of one word or more")
        read = tokens[: min(self.config.max_length, context_of(network) or len(tokens))]
        return Example(self._batch([text]), self.token_vocabulary.shown(read), truncated=len(tokens) - len(read))

    def _batch(self, texts: Sequence[str]) -> LabelledBatch:
        """A batch of texts with unknown labels (label 0 as a placeholder)."""
        return self._encode(map(self.tokenize, texts), [(text, self.labels[0]) for text in texts]).whole()

    def classify(self, network: Network[LabelledBatch], texts: Sequence[str]) -> list[dict[str, float]]:
        """For each text the probability of each label."""
        return [dict(zip(self.labels, row, strict=True)) for row in probabilities(network, self._batch(texts))]
