"""Translation: one sequence into another (many-to-many, encoder-decoder)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.batch import Split
from seqlab.core.fields import Count, WholeNumber
from seqlab.core.task import Task, TaskConfig
from seqlab.data import hugging_face
from seqlab.data.batches import PairBatch
from seqlab.data.corpora import corpora_of
from seqlab.data.pair_splits import Pair, PairSplits, only_complete, split_read_pairs
from seqlab.data.pairs import ReadPairs, read_pairs
from seqlab.data.splits import SplitCorpora, part_of
from seqlab.kinds.text_to_text import TextToTextConfig, TextToTextGeneration
from seqlab.metrics.text import TextScores, choose_bleu_tokenizer

_HELD_SHARE = 0.05  # of the corpus, for validation and for test


@config_dataclass(frozen=True, kw_only=True)
class TranslationConfig(SplitCorpora, TextToTextConfig):
    """Settings of `task=translation`, beside those of every text-to-text task.

    A file is a TSV file (source, translation), or two line-aligned files joined by a comma, plain or .gz. target:
    Babel's name of the language to translate into (cldr); other corpora by name have one language. pairs: how many
    phrases to make (cldr). deduplicate: training pairs whose source occurs in validation or test are left out, even if
    it differs in case. repeated_sources: which of its translations a source keeps in training. bleu_tokenizer: auto is
    what fits the language of a corpus by its name, or else the script of the references. source_column, target_column:
    of a dataset of Hugging Face; a part of a column stands after a dot.
    """

    reading_settings = ("source_column", "target_column")

    before: ClassVar[Mapping[str, Any]] = {"deduplicate": False, "repeated_sources": "first"}

    source_column: str
    target_column: str
    target: str
    pairs: Count
    deduplicate: bool
    repeated_sources: Literal["all", "first"]
    split_seed: WholeNumber

    def build(self) -> Translation:
        found, given = self.read_parts(self.read)
        splits = split_read_pairs(
            found, given, self.corpus, held_share=_HELD_SHARE, seed=self.split_seed,
            all_translations=self.repeated_sources == "all", deduplicate=self.deduplicate,
        )  # fmt: skip
        return Translation(splits, self)

    def read(self, where: str, key: str) -> Mapping[Split, ReadPairs]:
        """The splits of a corpus by its name or of a dataset of Hugging Face, or the pairs of a file."""
        if where.startswith(hugging_face.PREFIX):
            sides = ("task.source_column", self.source_column), ("task.target_column", self.target_column)
            return {split: ReadPairs(part) for split, part in hugging_face.pairs(where, key, *sides).items()}
        if (corpus := (named := corpora_of("translation")).get(where)) is not None:
            pairs: Mapping[Split, list[Pair]]
            pairs = corpus.content("translation", self.target, self.pairs, self.split_seed)
            return {split: ReadPairs(part) for split, part in pairs.items()}
        return {"train": read_pairs(where, key, named)}

    @property
    def language(self) -> str | None:
        """The language to translate into; None if the corpus does not say."""
        corpus = corpora_of("translation").get(self.corpus)
        return None if corpus is None else corpus.target or self.target

    def scores(self, references: Iterable[str]) -> TextScores:
        return TextScores(choose_bleu_tokenizer(self.bleu_tokenizer, references, self.language))

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Translation:
        return Translation.restored(read).with_stored_vocabulary(self, vocabulary)


class Translation(TextToTextGeneration):
    """Pairs of a phrase and its translation."""

    target_name = "translation"
    config: TranslationConfig

    def __init__(self, splits: PairSplits, config: TranslationConfig) -> None:
        self.splits = splits
        super().__init__(splits.parts, config)

    def describe(self) -> Mapping[str, int | str]:
        return {
            "corpus": self.config.corpus + (f", to {language}" if (language := self.config.language) else ""),
            **self.config.named_corpora(),
            **super().describe(),
            **self.splits.facts,
        }

    def warnings(self) -> Iterable[str]:
        yield from self.splits.warnings
        yield from super().warnings()

    def source_places(self, batch: PairBatch) -> Tensor:
        """Of numbers, which a translation keeps: a digit that stands once in the source and once in the target."""
        return self.text_to_text.numbers_in_both(batch)

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Translation:
        return self.tested_on(only_complete(part_of(self.config.read(where, key), "test"), where, key))
