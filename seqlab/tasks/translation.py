"""Translation: one sequence into another (many-to-many, encoder-decoder)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.fields import Count, WholeNumber
from seqlab.core.task import Task, TaskConfig
from seqlab.data.cldr import cldr_pairs, find_locale
from seqlab.data.pair_splits import PairSplits, read_whole, split_read_pairs
from seqlab.data.pairs import ReadPairs, read_pairs
from seqlab.data.splits import SplitCorpora
from seqlab.kinds.text_to_text import TextToTextConfig, TextToTextGeneration
from seqlab.metrics.text import TextScores, choose_bleu_tokenizer

CORPORA = ("cldr",)
_HELD_SHARE = 0.05  # of the corpus, for validation and for test


@config_dataclass(frozen=True, kw_only=True)
class TranslationConfig(SplitCorpora, TextToTextConfig):
    """Settings of `task=translation`, beside those of every text-to-text task.

    corpus: `cldr`, the path of a TSV file (source, translation), or two line-aligned files joined by a
    comma, plain or .gz. validation_corpus, test_corpus: the same for splits of their own; null cuts 5 % of
    the corpus for each. target: Babel's name of the language to translate into (cldr). pairs: how many
    phrases to make (cldr). deduplicate: training pairs whose source occurs in validation or test are left out, even if
    it differs in case. repeated_sources: which of its translations a source keeps in training.
    bleu_tokenizer: auto is what fits the target (cldr), or else the script of the references.
    """

    before: ClassVar[Mapping[str, Any]] = {"deduplicate": False, "repeated_sources": "first"}

    corpus: str
    target: str
    pairs: Count
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
        language = self.target if self.corpus == "cldr" else None
        return TextScores(choose_bleu_tokenizer(self.bleu_tokenizer, references, language))

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
            "corpus": self.config.corpus if self.config.corpus != "cldr" else f"cldr, en to {self.config.target}",
            **self.config.named_corpora(),
            **super().describe(),
            **self.splits.facts,
        }

    def warnings(self) -> Iterable[str]:
        yield from self.splits.warnings
        yield from super().warnings()

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Translation:
        return self.tested_on(read_whole(where, key))
