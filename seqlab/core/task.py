"""A corpus with its splits, the network that fits it, and its metrics.

A task has four methods: batches, build_network, meter and describe. The others have working defaults. Optional
abilities are protocols: prediction.py, example.py, baseline.py, other_corpus.py.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Generic, Self

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.batch import HELD_OUT, SPLITS, Batch, BatchT, Split
from seqlab.core.meter import Meter
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.errors import ConfigError


@dataclass(frozen=True)
class StoredText:
    """A value of `stored_vocabulary` that a run keeps in a file of its own, for others to read."""

    name: str
    text: str


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
        """What a reader should know about the data: sizes, vocabulary, what was skipped."""

    # --- what the data are ---------------------------------------------------------------------------

    test_is_validation: bool = False
    """Whether the corpus has no test split of its own, so that test figures are those of the split that chose the
    weights. Results and reports say so."""

    @cached_property
    def data_sha256(self) -> str:
        """Digest of the data that the task read, for environment.json; by default of its batches."""
        return self._sha256(SPLITS)

    def heldout_sha256(self) -> str:
        """Digest of the validation and test splits; only runs with the same one are ranked together. By default of
        their batches; a digest of the texts is better, since it depends neither on batch sizes nor on a vocabulary."""
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
        """Every token and label in the order of ids, to which a network's weights refer. By default the rows of its
        embeddings, one table after the other."""
        return chain.from_iterable(self.embedding_tokens().values())

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        """What each row of the network's embeddings stands for, by the names that Network.embeddings gives them; by
        default none is known."""
        return {}

    def stored_vocabulary(self) -> Mapping[str, Any] | None:
        """What a network of this task needs from the corpus: vocabularies, labels, as plain values that JSON can hold,
        or a StoredText. Each run stores it, for TaskConfig.restore. None: the task needs its corpus."""
        return None

    def warnings(self) -> Iterable[str]:
        """Reasons in the data why figures mean less than they seem to: plain sentences, each with its remedy. Shown
        before training, in train.log, in result.json and in a comparison's notes; none by default."""
        return ()

    def longest(self) -> int:
        """The most positions of any sequence of any batch; by default all batches are read once to find it."""
        return self._longest

    @cached_property
    def _longest(self) -> int:
        return max(_positions(batch) for split in SPLITS for batch in self.batches(split, 0))

    def trained_positions(self, part: str) -> int:
        """The most positions that the sequence model with this dotted name in the network reads of one training
        sequence. By default longest()."""
        return self.longest()

    # --- in which order, and how much at once --------------------------------------------------------

    def training_batches(self, network: Network[BatchT], seed: int) -> Iterator[BatchT]:
        """One pass over the training split in the order that suits the network. Whatever the order, the same text is
        read: each target once, and equally many in a batch."""
        return self.batches("train", seed)

    def training_order(self, network: Network[BatchT]) -> str:
        """That order in words, where it depends on the network; else ''."""
        return ""

    def validation_batches(self) -> Iterator[BatchT]:
        """The batches of each validation during training: the whole split, unless a setting of the task selects a part.
        Final figures are of whole splits."""
        return self.batches("validation", 0)

    def shorter_validation(self, share: float) -> str | None:
        """The override, KEY=VALUE, that reduces validation during training to about this share; None if there is
        none."""
        return None

    window_setting: ClassVar[str] = ""
    """The setting, if there is one, that gives the length of a batch's sequences, such as task.window."""

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
        """The network's output for a few items of the validation split, shown during training. Nothing by default."""
        return ""

    continues_texts: ClassVar[bool] = False
    """Whether a prediction continues the text that it was made for."""

    generation_options: ClassVar[tuple[str, ...]] = ()
    """The fields of GenerationConfig that change what `predict` gives; the command line refuses the other options."""

    def unknown(self, text: str) -> tuple[str, ...]:
        """The tokens of a text that are unknown, because training did not have them: each once, in order."""
        return ()

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        """How many tokens of a split are unknown, and of how many, by kind of token: {"words": (3, 100)}."""
        return {}

    def unread(self, text: str) -> str:
        """A note for people on what of a text is too long to be read; "" if it is read whole."""
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
    """For runs stored before a setting existed: its value then, where that is not today's default."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """For runs stored before a setting had its name: the name today, by the earlier one."""

    @abstractmethod
    def build(self) -> Task[Any]:
        """Read the corpus and make the task. Raises DataError if the corpus does not fit."""

    def pinned(self) -> Mapping[str, str]:
        """Settings by their names, with values that mean the same next year: what the world may change under its name
        (the revision of a dataset) is named exactly. A new run is stored with them."""
        return {}

    def incomparable(self, other: TaskConfig) -> str:
        """Why models with these training settings and with those cannot be judged alike, and the remedy after a
        semicolon; "" if they can."""
        return ""

    def with_files_of(self, folder: Path) -> Self:
        """For making the task of a stored run from its corpus again: the same settings, but with files that the run
        keeps in place of what would be learned from the corpus once more. By default they are unchanged."""
        return self

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Task[Any] | None:
        """The task of a stored run, made from its `stored_vocabulary`. `read` makes it from the corpus, checked to be
        the one that the run was trained on; call it only when something needs the corpus (see data/restored.py). None:
        the task always needs its corpus. Raises ValueError, KeyError or TypeError for an invalid vocabulary."""
        return None
