"""Sentiment: one label for a whole text (many-to-one)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.batch import Split
from seqlab.core.fields import WholeNumber
from seqlab.core.task import Task, TaskConfig
from seqlab.data.files import find_corpus
from seqlab.data.labelled_splits import Row, labelled_sha256, split_labelled
from seqlab.data.labels import read_labelled
from seqlab.data.movie_reviews import movie_reviews
from seqlab.data.splits import SplitCorpora
from seqlab.data.tables import Separator
from seqlab.kinds.text_classification import TextClassification, TextClassificationConfig

CORPORA = {"movie_reviews": movie_reviews}
_HELD_SHARE = 0.1  # of the corpus, for validation and for test


@config_dataclass(frozen=True, kw_only=True)
class SentimentConfig(SplitCorpora, TextClassificationConfig):
    """Settings of `task=sentiment`, beside those of every text classification task.

    corpus: `movie_reviews`, or the path of a CSV, TSV or JSON Lines file with a text and a label in each row.
    validation_corpus, test_corpus: the same for these splits alone. text_column, label_column: by their names in the
    header, or by their numbers, from 1. header: the first row names the columns. separator: of the fields, one
    character or `tab`; null: found from the first rows.
    deduplicate: training texts that also occur in validation or test, case and white space aside, are left out.
    split_seed: of the fixed stratified split.
    """

    before: ClassVar[Mapping[str, Any]] = {"deduplicate": False}

    reading_settings = ("text_column", "label_column", "separator", "header")

    corpus: str
    text_column: str
    label_column: str
    separator: Separator | None
    header: bool
    deduplicate: bool
    split_seed: WholeNumber

    def build(self) -> Sentiment:
        return Sentiment(self.read(self.corpus, "task.corpus"), self, self.read_held_out(self.read))

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Sentiment:
        return Sentiment.restored(read).with_stored_vocabulary(self, vocabulary)

    def read(self, where: str, key: str) -> list[Row]:
        """(text, label) of each row of a corpus by its name, or of a file."""
        if where in CORPORA:
            return CORPORA[where]()
        path = find_corpus(where, key, CORPORA, "a CSV, TSV or JSON Lines file with a text and a label column")
        columns = (self.text_column, self.label_column)
        return read_labelled(path, key, *columns, separator=self.separator, header=self.header)


class Sentiment(TextClassification):
    """Labelled texts in a fixed stratified split."""

    config: SentimentConfig

    def __init__(
        self, items: list[Row], config: SentimentConfig, given: Mapping[Split, list[Row]] | None = None
    ) -> None:
        given = given or {}
        self.data_sha256 = labelled_sha256(items, given)
        self.splits = split_labelled(
            items, given, held_share=_HELD_SHARE, seed=config.split_seed, deduplicate=config.deduplicate,
            corpus=config.corpus, label_column=config.label_column, held_out=config.held_out(),
        )  # fmt: skip
        super().__init__(self.splits.parts, self.splits.labels, config)

    def describe(self) -> Mapping[str, int | str]:
        return {
            "corpus": self.config.corpus,
            **self.config.named_corpora(),
            **super().describe(),
            "labels": self.splits.described_labels(),
            **self.splits.describe(),
        }

    def warnings(self) -> Iterable[str]:
        yield from self.splits.warnings()
        yield from super().warnings()

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Sentiment:
        assert isinstance(config, SentimentConfig)
        return self.tested_on(config.read(where, key), f"{key}={where}")
