"""Language model of running text, over characters or other tokens: predict each next one of a stream (many-to-many)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.batch import Split
from seqlab.core.fields import Count, Share
from seqlab.core.network import Network
from seqlab.core.task import Task, TaskConfig
from seqlab.data import hugging_face
from seqlab.data.batches import TokenBatch
from seqlab.data.corpora import corpus_or_path
from seqlab.data.files import sha256_of
from seqlab.data.prepared import Prepared, PreparedBy, is_prepared
from seqlab.data.splits import SplitCorpora, check_shares, cut_text, named_parts, part_of
from seqlab.data.streams import random_windows, up_to
from seqlab.data.text import read_text
from seqlab.data.tokens import TokenConfig, check_size, unit_of
from seqlab.data.vocabulary import VocabularySize
from seqlab.data.words import Unit, normalized
from seqlab.errors import ConfigError
from seqlab.kinds.language_modelling import LanguageModelling, LanguageModellingConfig
from seqlab.kinds.prepared_text import PreparedText


@config_dataclass(frozen=True, kw_only=True)
class CharLMConfig(SplitCorpora, TokenConfig, LanguageModellingConfig):
    """Settings of `task=char_lm`, beside those of every language modelling task.

    tokens: as for TokenConfig; words are separated by white space. vocabulary_size: tokens, at most; null: all
    characters or words, and DEFAULT_SIZE for bpe and unigram. windows: in which order training reads the windows:
    `streams`, each batch continuing where the last one ended, so that a state can be carried; `auto`, in random order
    for a network that carries none. eval_characters: tokens of the validation split that a validation in training reads
    at most, the beginnings of its streams, which start evenly spread; null: all. The figures at the end are of the
    whole split.
    train_share, validation_share: parts of the corpus, in order; the rest is the test split. text_column: of a dataset
    of Hugging Face, whose rows become lines.
    """

    training_settings = (
        *LanguageModellingConfig.training_settings, "windows", "eval_characters", "tokens", "vocabulary_size",
    )  # fmt: skip

    reading_settings = ("text_column",)

    before: ClassVar[Mapping[str, Any]] = {"windows": "streams"}

    text_column: str
    vocabulary_size: VocabularySize | None
    windows: Literal["auto", "streams"]
    eval_characters: Count | None
    train_share: Share
    validation_share: Share

    def __post_init__(self) -> None:
        check_size(self.tokens, self.vocabulary_size)
        check_shares(self.train_share, self.validation_share)

    @property
    def least_validated(self) -> int:
        """One window for each stream in evaluation, and one more."""
        return (1 + self.eval_batch_size) * self.window

    @property
    def validated_tokens(self) -> int | None:
        """What a validation in training reads at most; None: all."""
        return None if self.eval_characters is None else max(self.eval_characters, self.least_validated)

    def build(self) -> CharLM:
        if is_prepared(self.corpus):
            return self._prepared()
        text, given = self.read_parts(self.read)
        return CharLM(text, self, given)

    def _prepared(self) -> CharLM:
        if held := self.held_out():
            split, where = next(iter(held.items()))
            what = f"task.{split}_corpus={where}: a prepared corpus has its own splits"
            raise ConfigError(what, f"leave it out, or prepare with other shares; task.corpus={self.corpus}")
        prepared = Prepared.read(self.corpus)
        shares = (self.train_share, self.validation_share)
        prepared.check(PreparedBy.of(self.tokens, self.vocabulary_size, self.normalize, *shares), "task.corpus")
        return PreparedCharLM(prepared, self)

    def with_files_of(self, folder: Path) -> Self:
        return self if is_prepared(self.corpus) else super().with_files_of(folder)

    def incomparable(self, other: TaskConfig) -> str:
        if isinstance(other, CharLMConfig) and (self.tokens == "word") != (other.tokens == "word"):
            return (
                f"task.tokens={self.tokens} and task.tokens={other.tokens}: a model of words neither predicts the "
                "white space between them nor spells a word that it does not know, so its bits are of less text; "
                "compare words with words"
            )
        return ""

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> CharLM:
        kind = PreparedCharLM if is_prepared(self.corpus) else CharLM
        return kind.restored(read).with_stored_vocabulary(self, vocabulary)

    def read(self, where: str, key: str) -> Mapping[Split, str]:
        """The splits of a corpus by its name or of a dataset of Hugging Face, or the text of a file."""
        if where.startswith(hugging_face.PREFIX):
            return hugging_face.texts(where, key, ("task.text_column", self.text_column))
        found = corpus_or_path(where, key, "char_lm", "a UTF-8 text file")
        if isinstance(found, Path):
            return {"train": read_text(found, key)}
        texts: Mapping[Split, str] = found.content("char_lm")
        return texts


class CharLM(LanguageModelling):
    """A text, its tokens as ids, and three splits in order."""

    primary = "bits_per_character"
    config: CharLMConfig

    @property
    def unit(self) -> Unit:  # type: ignore[override]
        """What the tokens are."""
        return unit_of(self.config.tokens)

    def __init__(self, text: str, config: CharLMConfig, given: Mapping[Split, str] | None = None) -> None:
        self.config, given = config, given or {}
        self.data_sha256 = sha256_of([text, *named_parts({split: [part] for split, part in given.items()})])
        given = {split: normalized(part, config.normalize) for split, part in given.items()}
        parts = cut_text(normalized(text, config.normalize), given, config.train_share, config.validation_share)
        super().__init__(parts, config, vocabulary_size=config.vocabulary_size, tokens=config.tokens)
        self.test_is_validation = parts["test"] is parts["validation"] or given.get("test") == parts["validation"]

    def named(self, split: Split) -> str:
        return f"{self.config.source(split)}: its {split} split"

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> CharLM:
        return self.tested_on(part_of(self.config.read(where, key), "test"), f"{key}={where}: its text")

    def describe(self) -> Mapping[str, int | str]:
        part = self.config.validated_tokens or math.inf
        return {
            "corpus": self.config.corpus,
            **self.config.named_corpora(),
            **super().describe(),
            **({"of validation in training": int(part)} if part < len(self.ids["validation"]) else {}),
        }

    def validation_batches(self) -> Iterator[TokenBatch]:
        return up_to(self.config.validated_tokens, self.batches("validation", 0))

    def shorter_validation(self, share: float) -> str | None:
        whole = min(self.config.validated_tokens or math.inf, len(self.ids["validation"]))
        return f"task.eval_characters={max(self.config.least_validated, round(share * whole))}"

    def training_batches(self, network: Network[TokenBatch], seed: int) -> Iterator[TokenBatch]:
        """Streams for a network that carries a state; else the same windows in random order, so that successive batches
        are less alike (1.93 instead of 1.94 bits for a Transformer on python_docs)."""
        if not self._in_random_order(network):
            return self.batches("train", seed)
        return random_windows(self.ids["train"], self.config.batch_size, self.config.window, seed)

    def training_order(self, network: Network[TokenBatch]) -> str:
        return "windows in random order" if self._in_random_order(network) else "windows in the order of the text"

    def _in_random_order(self, network: Network[TokenBatch]) -> bool:
        return self.config.windows == "auto" and not network.carries_state()


class PreparedCharLM(PreparedText, CharLM):
    """The same of a prepared corpus."""

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> CharLM:
        """A task with a text in memory."""
        plain = CharLM.restored(lambda: self)
        plain.config, plain.token_vocabulary = self.config, self.token_vocabulary
        return plain.with_test_corpus(where, key, config)
