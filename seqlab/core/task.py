"""A corpus with its splits, the network that fits it, and its metrics.

A task has four methods: batches, build_network, meter and describe. The others have defaults that do. What a task may
offer beside that is said by protocols: prediction.py, example.py, baseline.py, other_corpus.py.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, Generic

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.batch import HELD_OUT, Batch, BatchT, Split
from seqlab.core.meter import Meter
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.errors import ConfigError

_SPLITS: tuple[Split, ...] = ("train", *HELD_OUT)


class Task(ABC, Generic[BatchT]):
    """A corpus with its splits, the network that fits it, and its metrics."""

    @abstractmethod
    def batches(self, split: Split, seed: int) -> Iterator[BatchT]:
        """One pass over a split. `seed` orders the training split; the others come in their own order."""

    @abstractmethod
    def build_network(self, model: ModelConfig) -> Network[BatchT]:
        """A new network for this task."""

    @abstractmethod
    def meter(self, split: Split) -> Meter[BatchT]:
        """An empty meter for one evaluation of `split`."""

    @abstractmethod
    def describe(self) -> Mapping[str, int | str]:
        """What a reader should know of the data: sizes, vocabulary, what was skipped."""

    # --- what the data are ---------------------------------------------------------------------------

    test_is_validation: bool = False
    """Whether the corpus has no test split of its own, so that test figures are those of the split that chose the
    weights. Results and reports say so."""

    @cached_property
    def data_sha256(self) -> str:
        """Digest of what the task read, for environment.json; of its batches, unless a task says it better."""
        return self._sha256(_SPLITS)

    def heldout_sha256(self) -> str:
        """Digest of the validation and test splits; only runs with the same one are ranked beside each other. Of their
        batches, unless a task says it better: by texts, which neither batch sizes nor a vocabulary change."""
        return self._sha256(HELD_OUT)

    def _sha256(self, splits: Iterable[Split]) -> str:
        digest = hashlib.sha256()
        for split in splits:
            for batch in self.batches(split, 0):
                for value in vars(batch).values():
                    if isinstance(value, Tensor):
                        digest.update(value.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def vocabulary(self) -> Iterable[str]:
        """Every token and label in the order of ids: what a network's weights are about. By default the rows of its
        embeddings, one table after the other."""
        return chain.from_iterable(self.embedding_tokens().values())

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        """What each row of the network's embeddings stands for, by the names that Network.embeddings gives them; by
        default that of none is known."""
        return {}

    def stored_vocabulary(self) -> Mapping[str, Any] | None:
        """What a network of this task needs of the corpus: vocabularies, labels, plain values that JSON can hold. It is
        kept in each run, for TaskConfig.restore. None: the task cannot be without its corpus."""
        return None

    def warnings(self) -> Iterable[str]:
        """What in the data makes its figures mean less than they seem to: plain sentences, each with its remedy. Shown
        before training, in train.log, in result.json and in a comparison's notes; none by default."""
        return ()

    def longest(self) -> int:
        """The most positions that any sequence of any batch has; by default as its batches say, all read once."""
        return self._longest

    @cached_property
    def _longest(self) -> int:
        return max(_positions(batch) for split in _SPLITS for batch in self.batches(split, 0))

    def trained_positions(self, part: str) -> int:
        """The most positions that a whole training sequence gives to the sequence model that stands in the network
        under this dotted name. By default longest()."""
        return self.longest()

    # --- in which order, and how much at once --------------------------------------------------------

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

    window_setting: ClassVar[str] = ""
    """The setting, if there is one, that says how long the sequences of a batch are: task.window, say."""

    def longest_window(self) -> int:
        """The most positions that a window may have; by default longest()."""
        return self.longest()

    def check_windows(self, steps: int, network: Network[BatchT]) -> None:
        """Raise ConfigError, with the remedy, if batches cannot be cut into windows of `steps`."""
        if type(next(iter(self.batches("train", 0)))).windows is Batch.windows:
            raise ConfigError(
                f"trainer.bptt_steps={steps} cannot apply: this task's batches cannot be cut along time",
                "try trainer.bptt_steps=null (full backpropagation through each batch)",
            )
        network.check_windows(steps)
        if steps > (longest := self.longest_window()):
            raise ConfigError(
                f"trainer.bptt_steps={steps} is longer than any sequence of a batch, {longest} positions",
                f"try trainer.bptt_steps={longest}" + f" or {self.window_setting}={steps}" * bool(self.window_setting),
            )

    # --- for people ----------------------------------------------------------------------------------

    def samples(self, network: Network[BatchT], seed: int) -> str:
        """What the network makes of some of the validation split: it is shown while it trains. Nothing by default."""
        return ""

    continues_texts: ClassVar[bool] = False
    """Whether a prediction goes on where the text that it was made for ends."""

    generation_options: ClassVar[tuple[str, ...]] = ()
    """The fields of GenerationConfig that change what `predict` gives; the command line refuses the other options."""

    def unknown(self, text: str) -> tuple[str, ...]:
        """What of a text training did not know, each once, in its order."""
        return ()

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        """How many tokens of a split training did not know, and of how many, by what they are: {"words": (3, 100)}."""
        return {}

    def unread(self, text: str) -> str:
        """What of a text is too long to be read, for people; nothing where it is read whole."""
        return ""


def _positions(batch: Batch) -> int:
    """The most positions of a batch's sequences: of ids (B, T) and of vectors (B, T, D)."""
    sequences = [v for v in vars(batch).values() if isinstance(v, Tensor) and v.dim() == 2 + v.is_floating_point()]
    return max((value.shape[1] for value in sequences), default=1)


@config_dataclass(frozen=True, kw_only=True)
class TaskConfig(ABC):
    """Base of every task's settings (its defaults stand in configs/task/*.yaml).

    training_settings: those that change how a model is trained, but not what it is judged on; only they may
    differ between models that are compared. reading_settings: those that say how the file of a corpus is read, and
    nothing else; they may be given again for another corpus (see other_corpus.py).
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
