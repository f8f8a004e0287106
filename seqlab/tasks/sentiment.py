"""Sentiment: one label for a whole text (many-to-one)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.batch import Split
from seqlab.core.fields import Tenth, WholeNumber
from seqlab.core.task import Task, TaskConfig
from seqlab.data import hugging_face
from seqlab.data.corpora import corpus_or_path
from seqlab.data.labelled_splits import Row, labelled_sha256, split_labelled
from seqlab.data.labels import read_labelled
from seqlab.data.splits import SplitCorpora, part_of
from seqlab.data.tables import Separator
from seqlab.errors import ConfigError
from seqlab.kinds.text_classification import TextClassification, TextClassificationConfig

_HELD_SHARE = 0.1  # of the corpus, for validation and for test


@config_dataclass(frozen=True, kw_only=True)
class SentimentConfig(SplitCorpora, TextClassificationConfig):
    """Settings of `task=sentiment`, beside those of every text classification task.

    A file is CSV, TSV or JSON Lines, with a text and a label in each row. text_column, label_column: by their names in
    the header, or by their numbers, from 1. header: the first row names the columns. separator: of the fields, one
    character or `tab`; null: found from the first rows.
    deduplicate: training texts that also occur in validation or test, case and white space aside, are left out.
    split_seed: of the fixed stratified split. fold: the tenth of the corpus, from 1 to 10, that is the test split in
    10-fold cross-validation; a tenth of the rest is the validation split.
    """

    before: ClassVar[Mapping[str, Any]] = {"deduplicate": False, "fold": None}

    reading_settings = ("text_column", "label_column", "separator", "header")

    text_column: str
    label_column: str
    separator: Separator | None
    header: bool
    deduplicate: bool
    split_seed: WholeNumber
    fold: Tenth | None

    def build(self) -> Sentiment:
        rows, given = self.read_parts(self.read)
        if self.fold is not None and "test" in given:
            what = f"task.fold={self.fold} cuts the test split from the corpus, but {self.source('test')} has its own"
            raise ConfigError(what, "leave task.fold out")
        return Sentiment(rows, self, given)

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Sentiment:
        return Sentiment.restored(read).with_stored_vocabulary(self, vocabulary)

    def read(self, where: str, key: str) -> Mapping[Split, list[Row]]:
        """(text, label) of each row: the splits of a corpus by its name or of a dataset of Hugging Face, or all of a
        file."""
        if where.startswith(hugging_face.PREFIX):
            columns = ("task.text_column", self.text_column), ("task.label_column", self.label_column)
            return hugging_face.labelled(where, key, *columns)
        form = "a CSV, TSV or JSON Lines file with a text and a label column"
        if not isinstance(found := corpus_or_path(where, key, "sentiment", form), Path):
            rows: Mapping[Split, list[Row]] = found.content("sentiment")
            return rows
        names = (self.text_column, self.label_column)
        return {"train": read_labelled(found, key, *names, separator=self.separator, header=self.header)}


class Sentiment(TextClassification):
    """Labelled texts in a fixed stratified split."""

    config: SentimentConfig

    def __init__(
        self, items: list[Row], config: SentimentConfig, given: Mapping[Split, list[Row]] | None = None
    ) -> None:
        given = given or {}
        self.data_sha256 = labelled_sha256(items, given)
        self.splits = split_labelled(
            items, given, held_share=_HELD_SHARE, seed=config.split_seed, fold=config.fold,
            deduplicate=config.deduplicate, corpus=config.corpus, label_column=config.label_column,
            source=config.source,
        )  # fmt: skip
        super().__init__(self.splits.parts, self.splits.labels, config)

    def describe(self) -> Mapping[str, int | str]:
        return {
            "corpus": self.config.corpus,
            **self.config.named_corpora(),
            **super().describe(),
            "labels": self.splits.described_labels(),
            **self.splits.describe(),
            **({"fold": f"{self.config.fold} of 10"} if self.config.fold is not None else {}),
        }

    def warnings(self) -> Iterable[str]:
        yield from self.splits.warnings()
        yield from super().warnings()

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Sentiment:
        assert isinstance(config, SentimentConfig)
        return self.tested_on(part_of(config.read(where, key), "test"), f"{key}={where}")
