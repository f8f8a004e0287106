"""Language modelling: predict each next token of running text (many-to-many). B parallel streams, T time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, ClassVar, Self

import torch
from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.baselines.running_text import running_text_baselines
from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, SPLITS, Split
from seqlab.core.example import Example
from seqlab.core.fields import Count, Positive
from seqlab.core.metric import Metric
from seqlab.core.model import ModelConfig, context_of
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.task import Task, TaskConfig
from seqlab.data.batches import TokenBatch
from seqlab.data.files import sha256_of
from seqlab.data.repeats import repeated_text
from seqlab.data.restored import Restorable
from seqlab.data.streams import contexts, evaluation_streams, one_row, training_streams
from seqlab.data.subwords import Subwords
from seqlab.data.text import middle_of
from seqlab.data.token_ids import TextSize, TokenIds, TokenSizes, ids_of, learned_vocabulary, subword_ids
from seqlab.data.tokens import DEFAULT_SIZE, restored, stored, subword_vocabulary
from seqlab.data.vocabulary import UNKNOWN, Vocabulary
from seqlab.data.words import NAMES, SEPARATOR, Normalization, Unit, normalized
from seqlab.decoding.sampling import sampled
from seqlab.errors import DataError
from seqlab.metrics.likelihood import RunningTextMeter, running_text_metrics
from seqlab.networks.token_lm import TokenLM


@config_dataclass(frozen=True, kw_only=True)
class LanguageModellingConfig(TaskConfig):
    """Settings of every language modelling task.

    normalize: nfc composes accents with their letters. batch_size: parallel streams in training. window: tokens of each
    stream in a batch. eval_batch_size: parallel streams in evaluation. sample_length, sample_temperature: the passage
    written at the end.
    """

    training_settings: ClassVar[tuple[str, ...]] = (
        "batch_size", "window", "eval_batch_size", "sample_length", "sample_temperature",
    )  # fmt: skip

    normalize: Normalization
    batch_size: Count
    window: Count
    eval_batch_size: Count
    sample_length: Count
    sample_temperature: Positive


class LanguageModelling(Restorable, Task[TokenBatch]):
    """Running text in three splits, read in parallel streams, so that a state can be carried. A subclass sets `unit`:
    tokens are characters, or words separated by spaces; override `tokenize` for others. primary: the metric that judges
    a model, bits_per_word for words and bits_per_character for all other tokens, unless a subclass sets it."""

    continues_texts, window_setting = True, "task.window"
    generation_options = ("length", "temperature", "top_k", "top_p", "seed")
    unit: Unit
    primary: ClassVar[str] = ""
    config: LanguageModellingConfig
    token_vocabulary: Vocabulary

    def __init__(
        self,
        texts: Mapping[Split, str],
        config: LanguageModellingConfig,
        *,
        vocabulary_size: int | None = None,
        tokens: str = "",
    ) -> None:
        """texts: the text of each split. vocabulary_size: how many tokens to keep; None: all. tokens: where `unit` is
        subword, what they are (as for TokenConfig). Raises DataError for a split that is shorter than a window."""
        self.config, self.test_is_validation = config, texts["test"] == texts["validation"]
        self.texts = {split: normalized(text, config.normalize) for split, text in texts.items()}
        if self.unit == "subword":
            size = vocabulary_size or DEFAULT_SIZE
            self.token_vocabulary = subword_vocabulary(tokens, [self.texts["train"]], size)
        else:
            self.token_vocabulary = learned_vocabulary(self.tokenize(self.texts["train"]), vocabulary_size)
        self.ids = {split: self._encode(text, self.named(split), remedy=True) for split, text in self.texts.items()}

    def with_stored_vocabulary(self, config: LanguageModellingConfig, vocabulary: Mapping[str, Any]) -> Self:
        """The restored task with its run's stored vocabulary, for TaskConfig.restore."""
        self.config = config  # before `unit`, which a subclass may read from it
        self.token_vocabulary = restored(vocabulary[NAMES[self.unit]])
        return self

    def tested_on(self, text: str, what: str) -> Self:
        """The task with this text alone as its test split, for `with_test_corpus`. `what` names it in messages."""
        task = self.detached()
        task.data_sha256, task.test_is_validation = sha256_of([text]), False
        task.texts = {"test": normalized(text, self.config.normalize)}
        task.ids = {"test": self._encode(task.texts["test"], what)}
        return task

    def _encode(self, text: str, what: str, *, remedy: bool = False) -> TokenIds:
        """The ids of a text. Raises DataError if it is too short. remedy: say what to do about it, for a split."""
        vocabulary = self.token_vocabulary
        if isinstance(vocabulary, Subwords):
            ids = subword_ids(vocabulary, text)
        else:
            ids = ids_of(vocabulary, self.tokenize(text))
        self.check_length(len(ids), what, remedy=remedy)
        return ids

    def check_length(self, tokens: int, what: str, *, remedy: bool = True) -> None:
        """Raise DataError for a text that is shorter than a window."""
        if tokens <= (window := self.config.window) + 1:
            what = f"{what} of {tokens} {NAMES[self.unit]} is too short for one window of task.window={window}"
            raise DataError(what, f"give a longer text{f', or try task.window={max(1, tokens // 2)}' * remedy}")

    def tokenize(self, text: str) -> Sequence[str]:
        """The tokens of a normalized text."""
        if isinstance(known := vars(self).get("token_vocabulary"), Subwords):
            return known.split(text)
        return text if self.unit == "char" else text.split()

    def text_size(self, split: Split) -> TextSize:
        """Of a split's text."""
        return TextSize.of(self.texts[split], self.tokenize(self.texts[split]) if self.unit == "word" else ())

    def token_sizes(self, split: Split) -> TokenSizes:
        """How much text of a split the tokens stand for."""
        return TokenSizes.of(self.token_vocabulary, self.unit, self.ids[split], self.text_size(split))

    def named(self, split: Split) -> str:
        """The name of a split in messages."""
        return f"the {split} split"

    def _tokens_of(self, text: str, purpose: str = "", what: str = "") -> Sequence[str]:
        """The tokens of a user's text, read like the corpus. With a `purpose`, raises DataError if there are none."""
        tokens = self.tokenize(normalized(text.replace("\r\n", "\n"), self.config.normalize))
        if purpose and not tokens:
            raise DataError(f"there is nothing to {purpose}", f"give a {what} of one {NAMES[self.unit][:-1]} or more")
        return tokens

    def batches(self, split: Split, seed: int) -> Iterator[TokenBatch]:
        if split == "train":
            return training_streams(self.ids[split], self.config.batch_size, self.config.window, seed)
        return evaluation_streams(self.ids[split], self.config.eval_batch_size, self.config.window)

    def build_network(self, model: ModelConfig) -> TokenLM:
        return TokenLM(len(self.token_vocabulary), model, self.config.window)

    def meter(self, split: Split) -> RunningTextMeter:
        sizes = partial(self.token_sizes, split)
        return RunningTextMeter(self.token_vocabulary, self.ids[split], sizes, self.unit, self.primary)

    def longest(self) -> int:
        return self.config.window

    @cached_property
    def data_sha256(self) -> str:
        """Digest of the texts, unless a subclass has set one, as of a whole corpus."""
        return sha256_of(self.texts[split] for split in SPLITS)

    def heldout_sha256(self) -> str:
        return sha256_of(self.texts[split] for split in HELD_OUT)

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return {"embed": self.token_vocabulary.tokens}

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {NAMES[self.unit]: stored(self.token_vocabulary)}

    def describe(self) -> Mapping[str, int | str]:
        unit = NAMES[self.unit]
        unknown = {split: self.unknown_in(split)[unit][0] for split in HELD_OUT}
        return {
            **{f"{split} {unit}": len(ids) for split, ids in self.ids.items()},
            **({"characters of train": self.text_size("train").characters} if self.unit == "subword" else {}),
            "vocabulary": len(self.token_vocabulary),
            **{f"{unit} of {split} not in training": count for split, count in unknown.items() if count},
        }

    def warnings(self) -> Iterable[str]:
        return self._repeated

    @cached_property
    def _repeated(self) -> tuple[str, ...]:
        held: tuple[Split, ...] = ("validation",) if self.test_is_validation else HELD_OUT
        return tuple(said for split in held for said in repeated_text(self.texts[split], self.texts["train"], split))

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        counts_V = self.ids[split].counts(len(self.token_vocabulary))
        return {NAMES[self.unit]: (int(counts_V[UNKNOWN]), len(self.ids[split]))}

    def unknown(self, text: str) -> tuple[str, ...]:
        return self.token_vocabulary.unknown(self._tokens_of(text))

    def chance(self, split: Split) -> Baseline:
        count, tokens = len(self.token_vocabulary), len(self.ids[split])
        return Baseline("chance", f"each of {count} tokens as likely", self._metrics(tokens * math.log(count), split))

    def baselines(self) -> Iterator[Baseline]:
        """The baselines over characters, with their bits converted."""
        test = self.texts["test"]
        for name, about, bits in running_text_baselines(self.texts["train"], self.texts["validation"], test):
            yield Baseline(name, about, self._metrics(bits * math.log(2) * len(test), "test"))

    def _metrics(self, nats: float, split: Split) -> dict[str, Metric]:
        """Those of nats summed over a whole split."""
        characters, utf8 = self.token_sizes(split).total(self.ids[split].counts(len(self.token_vocabulary)))
        return running_text_metrics(nats, len(self.ids[split]), characters, utf8, self.unit, self.primary)

    def samples(self, network: Network[TokenBatch], seed: int) -> str:
        tokens, config = self.token_vocabulary.tokens, self.config
        prompt = "\n\n" if self.unit == "subword" or "\n" in tokens else tokens[-1]
        generation = GenerationConfig(length=config.sample_length, temperature=config.sample_temperature, seed=seed)
        return "".join(self.stream(network, prompt, generation)).strip(f"\n{SEPARATOR[self.unit]}")

    def stream(self, network: Network[TokenBatch], text: str, generation: GenerationConfig) -> Iterator[str]:
        """The tokens that the network generates after `text`, one by one."""
        ids_T = self.token_vocabulary.encode(self._tokens_of(text, "continue", "prompt"))
        ids_BT = torch.tensor([ids_T], device=next(network.parameters()).device)
        batch = TokenBatch(inputs_BT=ids_BT[:, :-1], targets_BT=ids_BT[:, 1:], target_count=0, positions=0)
        written = (
            token for token_B in sampled(network, batch, ids_BT[:, -1], generation) for token in token_B.tolist()
        )
        yield from self.token_vocabulary.written(written, SEPARATOR[self.unit])

    def predict(self, network: Network[TokenBatch], text: str, generation: GenerationConfig) -> Prediction:
        continuation = "".join(self.stream(network, text, generation))
        return Prediction(continuation, {"continuation": continuation})

    def example_text(self, length: int) -> str:
        """From the middle of the split, starting at the beginning of a line."""
        text = self.texts["validation"]
        return middle_of(text, length * len(text) // len(self.ids["validation"]))

    def example(self, network: Network[TokenBatch], text: str) -> Example[TokenBatch]:
        tokens = self._tokens_of(text, "look at", "text")
        read = tokens[: context_of(network)]
        batch = one_row(self.token_vocabulary.encode(read))
        return Example(batch, self.token_vocabulary.shown(read), truncated=len(tokens) - len(read))

    def contexts(self, split: Split, steps: int, longest: int, count: int) -> Iterator[TokenBatch]:
        return contexts(self.ids[split], steps, longest, count, self.named(split))
