"""Character language model: predict each next character of a stream (many-to-many). B parallel streams, T time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.baselines.running_text import running_text_baselines
from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, Split
from seqlab.core.example import Example
from seqlab.core.fields import Count, Positive, Share
from seqlab.core.model import ModelConfig, context_of
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.task import Task, TaskConfig
from seqlab.data.batches import TokenBatch
from seqlab.data.files import find_corpus, sha256_of
from seqlab.data.python_docs import python_docs
from seqlab.data.repeats import repeated_text
from seqlab.data.restored import Restorable
from seqlab.data.splits import SplitCorpora, check_shares, cut_text, named_parts
from seqlab.data.streams import contexts, evaluation_streams, one_row, random_windows, training_streams, up_to
from seqlab.data.text import middle_of, read_text
from seqlab.data.vocabulary import UNKNOWN, Vocabulary
from seqlab.data.words import Normalization, normalized
from seqlab.decoding.sampling import sampled
from seqlab.errors import DataError
from seqlab.metrics.likelihood import RunningTextMeter, running_text_metrics
from seqlab.networks.token_lm import TokenLM

CORPORA = {"python_docs": python_docs}


@config_dataclass(frozen=True, kw_only=True)
class CharLMConfig(SplitCorpora, TaskConfig):
    """Settings of `task=char_lm`.

    corpus: `python_docs`, or the path of a UTF-8 text file. normalize: nfc composes accents with their letters.
    batch_size: parallel streams in training. window: characters of each stream in a batch. windows: in which order
    training reads them: `streams`, each batch going on where the last one ended, so that a state can be carried;
    `auto`, in random order for a network that carries none. eval_batch_size: parallel streams in evaluation.
    eval_characters: of the validation split that a validation in training reads at most, the beginnings of its streams,
    which start evenly spread; null: all. The figures at the end are of the whole split.
    train_share, validation_share: parts of the corpus, in order; the rest is the test split. validation_corpus,
    test_corpus: texts for these splits alone. sample_length, sample_temperature: the passage written at the end.
    """

    training_settings = (
        "batch_size", "window", "windows", "eval_batch_size", "eval_characters", "sample_length", "sample_temperature",
    )  # fmt: skip

    before: ClassVar[Mapping[str, Any]] = {"windows": "streams"}

    corpus: str
    normalize: Normalization
    batch_size: Count
    window: Count
    windows: Literal["auto", "streams"]
    eval_batch_size: Count
    eval_characters: Count | None
    train_share: Share
    validation_share: Share
    sample_length: Count
    sample_temperature: Positive

    def __post_init__(self) -> None:
        check_shares(self.train_share, self.validation_share)
        if self.eval_characters is not None and self.eval_characters < self.least_eval_characters:
            least = self.least_eval_characters
            raise ValueError(
                f"task.eval_characters={self.eval_characters} is less than a window of each stream, {least}; "
                f"try task.eval_characters={least}, or fewer streams: task.eval_batch_size"
            )

    @property
    def least_eval_characters(self) -> int:
        """A window of each stream in evaluation, and the one that the first begins with."""
        return (1 + self.eval_batch_size) * self.window

    def build(self) -> CharLM:
        return CharLM(self.read(self.corpus, "task.corpus"), self, self.read_held_out(self.read))

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> CharLM:
        task = CharLM.restored(read)
        task.config, task.characters = self, Vocabulary.restored(vocabulary["characters"])
        return task

    def read(self, where: str, key: str) -> str:
        """A corpus by its name, or the text of a file."""
        if where in CORPORA:
            return CORPORA[where]()
        return read_text(find_corpus(where, key, CORPORA, "a UTF-8 text file"), key)


class CharLM(Restorable, Task[TokenBatch]):
    """A text, its characters as ids, and three splits in order."""

    continues_texts, window_setting = True, "task.window"
    generation_options = ("length", "temperature", "top_k", "top_p", "seed")

    def __init__(self, text: str, config: CharLMConfig, given: Mapping[Split, str] | None = None) -> None:
        self.config, given = config, given or {}
        self.data_sha256 = sha256_of([text, *named_parts({split: [part] for split, part in given.items()})])
        given = {split: normalized(part, config.normalize) for split, part in given.items()}
        parts = cut_text(normalized(text, config.normalize), given, config.train_share, config.validation_share)
        self.test_is_validation = parts["test"] is parts["validation"] or given.get("test") == parts["validation"]
        for split, part in parts.items():
            if len(part) <= config.window + 1:
                own = split in given
                where = f"task.{split}_corpus={config.held_out()[split]}" if own else f"task.corpus={config.corpus}"
                what = f"{where}: its {split} split of {len(part)} characters is too short for one window"
                remedy = f"give a longer text, or try task.window={max(1, len(part) // 2)}"
                raise DataError(f"{what} of task.window={config.window}", remedy)
        self.texts = parts
        self.characters = Vocabulary.of([parts["train"]])
        self.ids = {split: torch.tensor(self.characters.encode(part)) for split, part in parts.items()}

    def warnings(self) -> Iterable[str]:
        return self._repeated

    @cached_property
    def _repeated(self) -> tuple[str, ...]:
        held: tuple[Split, ...] = ("validation",) if self.test_is_validation else HELD_OUT
        return tuple(said for split in held for said in repeated_text(self.texts[split], self.texts["train"], split))

    def clean(self, text: str) -> str:
        """A text of the user's own as one of the corpus is read."""
        return normalized(text.replace("\r\n", "\n"), self.config.normalize)

    def batches(self, split: Split, seed: int) -> Iterator[TokenBatch]:
        if split == "train":
            return training_streams(self.ids[split], self.config.batch_size, self.config.window, seed)
        return evaluation_streams(self.ids[split], self.config.eval_batch_size, self.config.window)

    def validation_batches(self) -> Iterator[TokenBatch]:
        return up_to(self.config.eval_characters, self.batches("validation", 0))

    def shorter_validation(self, share: float) -> str | None:
        whole = self.config.eval_characters or len(self.ids["validation"])
        return f"task.eval_characters={max(self.config.least_eval_characters, round(share * whole))}"

    def training_batches(self, network: Network[TokenBatch], seed: int) -> Iterator[TokenBatch]:
        """For a network that carries a state, streams; else the same windows in random order, which spares it batches
        that are alike from one step to the next (1.93 instead of 1.94 bits for a Transformer on python_docs)."""
        if not self._in_random_order(network):
            return self.batches("train", seed)
        return random_windows(self.ids["train"], self.config.batch_size, self.config.window, seed)

    def training_order(self, network: Network[TokenBatch]) -> str:
        return "windows in random order" if self._in_random_order(network) else "windows in the order of the text"

    def _in_random_order(self, network: Network[TokenBatch]) -> bool:
        return self.config.windows == "auto" and not network.carries_state()

    def build_network(self, model: ModelConfig) -> TokenLM:
        return TokenLM(len(self.characters), model, self.config.window)

    def longest(self) -> int:
        return self.config.window

    def heldout_sha256(self) -> str:
        return sha256_of(self.texts[split] for split in HELD_OUT)

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return {"embed": self.characters.tokens}

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {"characters": self.characters.tokens}

    def meter(self, split: Split) -> RunningTextMeter:
        return RunningTextMeter(self.characters.tokens, len(self.ids[split]))

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> CharLM:
        text = self.config.read(where, key)
        task = self.detached()
        task.data_sha256, task.test_is_validation = sha256_of([text]), False
        text = normalized(text, self.config.normalize)
        if len(text) <= self.config.window + 1:
            what = f"{key}={where}: its {len(text)} characters are too short for one window"
            raise DataError(f"{what} of task.window={self.config.window}", "give a longer text")
        task.texts, task.ids = {"test": text}, {"test": torch.tensor(self.characters.encode(text))}
        return task

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        return {"characters": (int((self.ids[split] == UNKNOWN).sum()), len(self.ids[split]))}

    def describe(self) -> Mapping[str, int | str]:
        unknown = {split: self.unknown_in(split)["characters"][0] for split in HELD_OUT}
        part = self.config.eval_characters or math.inf
        return {
            "corpus": self.config.corpus,
            **self.config.named_corpora(),
            **{f"{split} characters": len(ids) for split, ids in self.ids.items()},
            **({"of validation in training": int(part)} if part < len(self.ids["validation"]) else {}),
            "vocabulary": len(self.characters),
            **{f"characters of {split} not in training": count for split, count in unknown.items() if count},
        }

    def samples(self, network: Network[TokenBatch], seed: int) -> str:
        prompt = "\n\n" if "\n" in self.characters.tokens else self.characters.tokens[-1]
        length, temperature = self.config.sample_length, self.config.sample_temperature
        generation = GenerationConfig(length=length, temperature=temperature, seed=seed)
        return "".join(self.stream(network, prompt, generation)).strip("\n")

    def chance(self, split: Split) -> Baseline:
        count = len(self.characters)
        return Baseline("chance", f"each of {count} tokens as likely", running_text_metrics(math.log(count), 1, "char"))

    def baselines(self) -> Iterator[Baseline]:
        test = self.texts["test"]
        for name, about, bits in running_text_baselines(self.texts["train"], self.texts["validation"], test):
            nats = bits * math.log(2) * len(test)
            yield Baseline(name, about, running_text_metrics(nats, len(test), "char"))

    def stream(self, network: Network[TokenBatch], text: str, generation: GenerationConfig) -> Iterator[str]:
        """The characters that the network puts after `text`, one by one."""
        if not text:
            raise DataError("there is nothing to continue", "give a prompt of one character or more")
        ids_BT = torch.tensor([self.characters.encode(self.clean(text))], device=next(network.parameters()).device)
        batch = TokenBatch(inputs_BT=ids_BT[:, :-1], targets_BT=ids_BT[:, 1:], target_count=0, positions=0)
        for token_B in sampled(network, batch, ids_BT[:, -1], generation):
            yield from self.characters.decode(token_B.tolist())

    def predict(self, network: Network[TokenBatch], text: str, generation: GenerationConfig) -> Prediction:
        continuation = "".join(self.stream(network, text, generation))
        return Prediction(continuation, {"continuation": continuation})

    def unknown(self, text: str) -> tuple[str, ...]:
        return self.characters.unknown(self.clean(text))

    def example_text(self, length: int) -> str:
        """From the middle of the split, where a line begins."""
        return middle_of(self.texts["validation"], length)

    def example(self, network: Network[TokenBatch], text: str) -> Example[TokenBatch]:
        if not text:
            raise DataError("there is nothing to look at", "give a text of one character or more")
        text = self.clean(text)
        whole, text = text, text[: context_of(network)]
        return Example(one_row(self.characters.encode(text)), tuple(text), truncated=len(whole) - len(text))

    def contexts(self, split: Split, steps: int, longest: int, count: int) -> Iterator[TokenBatch]:
        what = f"task.corpus={self.config.corpus}: its {split} split"
        return contexts(self.ids[split], steps, longest, count, what)
