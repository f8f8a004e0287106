"""A corpus with its splits, the network that fits it, and its metrics."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.batch import HELD_OUT, BatchT, Split
from seqlab.core.meter import Meter
from seqlab.core.metric import Metric
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.errors import ConfigError


@dataclass(frozen=True)
class Baseline:
    """What is reached on the test split without a network. `about`: how, in one line."""

    name: str
    about: str
    metrics: Mapping[str, Metric]


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """How a network is asked: each task takes what concerns it.

    length: tokens to write. temperature, top_k, top_p, seed: how they are drawn (decoding/sampling.py). beams,
    length_penalty: how the best sequence is searched (decoding/beam.py).
    """

    length: int = 200
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    beams: int = 1
    length_penalty: float = 0.0


@dataclass(frozen=True)
class Prediction:
    """What a network says of one text. text: for people. details: for tools."""

    text: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Example(Generic[BatchT]):
    """One text as a network reads it, for pictures.

    batch: one row. tokens: what stands at each of its positions, as a person would write it. written: for a network
    with a decoder, what that reads, and `answers`, what it then says, position by position. decoder: the dotted name of
    the part of the network that reads `written`; every other part reads `tokens`. left_out: tokens at the text's end
    that the network does not read, because it was not trained to read so many at once.
    """

    batch: BatchT
    tokens: tuple[str, ...]
    written: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    decoder: str = "decoder"
    left_out: int = 0

    def read_by(self, module: str, positions: int) -> tuple[str, ...]:
        """The labels of what a module of the network, by its dotted name, reads. Raises ConfigError where it reads
        another number of positions."""
        decodes = bool(self.written) and f"{module}.".startswith(f"{self.decoder}.")
        labels = self.written if decodes else self.tokens
        if len(labels) != positions:
            raise ConfigError(
                f"{module} reads {positions} positions, and the text has {len(labels)}: nobody knows what stands where",
                "let the task's method example name the part that reads what is written: Example(decoder=NAME)",
            )
        return labels


class Task(ABC, Generic[BatchT]):
    """A corpus with its splits, the network that fits it, and its metrics."""

    data_sha256: str
    """Digest of what the task read, for environment.json."""

    test_is_validation: bool = False
    """Whether the corpus has no test split of its own, so that test figures are those of the split that chose the
    weights. Results and reports say so."""

    continues_texts: ClassVar[bool] = False
    """Whether what a network says goes on where the text that it was given ends."""

    generation_options: ClassVar[tuple[str, ...]] = ()
    """The fields of GenerationConfig that change what `predict` says; the command line refuses the other options."""

    @abstractmethod
    def batches(self, split: Split, seed: int) -> Iterator[BatchT]:
        """One pass over a split. `seed` orders the training split; the others come in their own order."""

    def training_batches(self, network: Network[BatchT], seed: int) -> Iterator[BatchT]:
        """One pass over the training split in the order that suits the network. Whatever the order, the same text is
        read: each target once, and as many in a batch."""
        return self.batches("train", seed)

    def training_order(self, network: Network[BatchT]) -> str:
        """That order in words, where it depends on the network; else ''."""
        return ""

    def validation_batches(self) -> Iterator[BatchT]:
        """What is validated on in training: always the same, the whole split unless the task was asked for a part. The
        figures at the end are of whole splits."""
        return self.batches("validation", 0)

    def shorter_validation(self, share: float) -> str | None:
        """The override, KEY=VALUE, that leaves about this share of a validation in training; None if there is none."""
        return None

    def heldout_sha256(self) -> str:
        """Digest of the validation and test splits; only runs with the same one are ranked beside each other. Of their
        batches, unless a task says it better: by texts, which neither batch sizes nor a vocabulary change."""
        digest = hashlib.sha256()
        for split in HELD_OUT:
            for batch in self.batches(split, 0):
                for value in vars(batch).values():
                    if isinstance(value, Tensor):
                        digest.update(value.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    @abstractmethod
    def build_network(self, model: ModelConfig) -> Network[BatchT]:
        """A new network for this task."""

    @abstractmethod
    def longest(self) -> int:
        """The most positions that any sequence of any batch has."""

    def trained_positions(self, part: str) -> int:
        """The most positions that a whole training sequence gives to the sequence model that stands in the network
        under this dotted name. By default longest()."""
        return self.longest()

    @abstractmethod
    def symbols(self) -> Iterable[str]:
        """Every token and label in the order of ids: what a network's weights are about."""

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        """What each row of the network's embeddings stands for, by the names that Network.embeddings gives them."""
        return {}

    def stored_vocabulary(self) -> Mapping[str, Any] | None:
        """What a network of this task needs of the corpus: vocabularies, labels, plain values that JSON can hold. It is
        kept in each run, for TaskConfig.restore. None: the task cannot be without its corpus."""
        return None

    @abstractmethod
    def meter(self, split: Split) -> Meter[BatchT]:
        """An empty meter for one evaluation of `split`."""

    @abstractmethod
    def describe(self) -> Mapping[str, int | str]:
        """What a reader should know of the data: sizes, vocabulary, what was skipped."""

    def warnings(self) -> Iterable[str]:
        """What in the data makes its figures mean less than they seem to: plain sentences, each with its remedy. Shown
        before training, in train.log, in result.json and in a comparison's notes; none by default."""
        return ()

    @abstractmethod
    def samples(self, network: Network[BatchT], seed: int) -> str:
        """What the network makes of some of the validation split, for people: it is shown while it trains."""

    def predict(self, network: Network[BatchT], text: str, generation: GenerationConfig) -> Prediction:
        """What the network says of a text of the user's own. Raises ConfigError where a task cannot be asked."""
        raise ConfigError(f"{type(self).__name__} has no predictions", "a task offers them by its method predict")

    def unknown(self, text: str) -> tuple[str, ...]:
        """What of a text training did not know, each once, in its order."""
        return ()

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        """How many tokens of a split training did not know, and of how many, by what they are: {"words": (3, 100)}."""
        return {}

    def with_test_corpus(self, where: str, key: str) -> Task[BatchT]:
        """The same task, vocabulary and labels, whose test split is the whole of another corpus: `where` names it as
        task.corpus would, and `key` is the setting or option that did, for messages. Its other splits cannot be asked
        for. Raises DataError for a corpus of another form, ConfigError where a task has no such thing."""
        raise ConfigError(
            f"{key}={where}: {type(self).__name__} is judged on its own corpus alone",
            "a task offers others by its method with_test_corpus",
        )

    def read_by(self, config: TaskConfig) -> Task[BatchT]:
        """The same task with settings that differ in `reading_settings` alone, for with_test_corpus. A task whose
        config names such settings has this method."""
        raise ConfigError(f"{type(self).__name__} reads every corpus in the same way", "a task has its method read_by")

    def unread(self, text: str) -> str:
        """What of a text is too long to be read, for people; nothing where it is read whole."""
        return ""

    def stream(self, network: Network[BatchT], text: str, generation: GenerationConfig) -> Iterator[str]:
        """What `predict` says, in pieces for people, as they come."""
        yield self.predict(network, text, generation).text

    def example_text(self, length: int) -> str:
        """A text of the validation split that is worth a picture, of about `length` tokens where it can be cut."""
        raise ConfigError(f"{type(self).__name__} offers no passage to look at", "give one: --text TEXT")

    def example(self, network: Network[BatchT], text: str) -> Example[BatchT]:
        """How the network reads a text. Raises ConfigError where a task has no such thing."""
        raise ConfigError(f"{type(self).__name__} cannot be looked at", "a task offers it by its method example")

    def contexts(self, split: Split, steps: int, longest: int, count: int) -> Iterator[BatchT]:
        """Batches whose rows hold `steps` tokens of a split and one target, the token after the last. The targets are
        about `count`, spread over the split, and the same ones for every `steps` up to `longest`."""
        raise ConfigError("it is no language model, which goes on from contexts of any length")

    def baselines(self) -> Iterator[Baseline]:
        """What simple methods reach on the test split, knowing the training split; none by default."""
        return iter(())

    def chance(self, split: Split) -> Baseline | None:
        """What is reached on a split without learning anything, as a classifier does that always gives the most
        frequent label, or a language model for which every token is as likely. A run that is no better is warned of;
        None where nobody can say. Metrics by the names of the meter's."""
        return None

    def check_windows(self, steps: int, network: Network[BatchT]) -> None:
        """Raise ConfigError, with the remedy, if batches cannot be cut into windows of `steps`."""
        raise ConfigError(
            f"trainer.bptt_steps={steps} cannot apply: this task's batches cannot be cut along time",
            "try trainer.bptt_steps=null (full backpropagation through each batch)",
        )


@config_dataclass(frozen=True, kw_only=True)
class TaskConfig(ABC):
    """Base of every task's settings (its defaults stand in configs/task/*.yaml).

    training_settings: those that change how a model is trained, but not what it is judged on; only they may
    differ between models that are compared. reading_settings: those that say how the file of a corpus is read, and
    nothing else; they may be given again for another corpus (see Task.read_by).
    """

    training_settings: ClassVar[tuple[str, ...]] = ("batch_size",)
    reading_settings: ClassVar[tuple[str, ...]] = ()

    before: ClassVar[Mapping[str, Any]] = {}
    """What runs that were stored before a setting existed had in its place, where that is not today's default."""

    @abstractmethod
    def build(self) -> Task[Any]:
        """Read the corpus and make the task. Raises DataError where the corpus does not fit."""

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Task[Any] | None:
        """The task of a stored run, made from its `stored_vocabulary`. `read` makes it from the corpus, checked to be
        the one that the run was trained on: to be called once something is asked for that only the corpus knows (see
        data/restored.py). None: it cannot be made so. Raises ValueError, KeyError or TypeError for a vocabulary that
        is none."""
        return None
