"""Tasks with generated sequences, of any length and number.

Shape letters: B rows of a batch, K numbers drawn for a row.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, BatchT, Split
from seqlab.core.fields import Count, WholeNumber
from seqlab.core.model import readable_positions
from seqlab.core.network import Network
from seqlab.core.task import Task, TaskConfig
from seqlab.data.files import sha256_of
from seqlab.errors import ConfigError, DataError

_DIGESTED = 8  # sequences of each split: enough to notice a change in how they are drawn


@config_dataclass(frozen=True, kw_only=True)
class GeneratedConfig(TaskConfig):
    """Settings of every task with generated sequences.

    length: of the sequences; each task says of which part. eval_lengths: other lengths for evaluation. batch_size,
    eval_batch_size: sequences. train_size: sequences in one pass over the training split; every pass draws new ones.
    validation_size, test_size: sequences of these splits. data_seed: of the sequences of all splits.
    """

    training_settings = ("batch_size", "eval_batch_size", "train_size")

    length: Count
    eval_lengths: tuple[Count, ...]
    batch_size: Count
    eval_batch_size: Count
    train_size: Count
    validation_size: Count
    test_size: Count
    data_seed: WholeNumber

    def __post_init__(self) -> None:
        self.check_length("task.length", self.length)
        for length in self.eval_lengths:
            self.check_length("task.eval_lengths", length)

    def shortest(self) -> tuple[int, str]:
        """(the least length that its other settings allow, why)."""
        return 1, "a sequence"

    def check_length(self, key: str, length: int) -> None:
        """Raise ValueError, with the remedy, for a length that is too short; `key` is where it was given."""
        least, why = self.shortest()
        if length < least:
            raise ValueError(f"{key}={length} is too short for {why}; try {least} or more")


class GeneratedTask(Task[BatchT]):
    """Sequences made from random numbers. A sequence depends on task.data_seed, its split and its index in the split
    (in training also on the seed of the pass), never on batch sizes."""

    def __init__(self, config: GeneratedConfig) -> None:
        self.config = config
        train, validation, test = config.train_size, config.validation_size, config.test_size
        self.sizes: dict[Split, int] = {"train": train, "validation": validation, "test": test}

    @abstractmethod
    def numbers(self) -> int:
        """K, the number of random numbers that a sequence needs."""

    @abstractmethod
    def sequences(self, drawn_BK: Tensor, items_B: Tensor) -> BatchT:
        """The sequences made from these numbers, uniform in [0, 1). items_B: their indices in the split."""

    @abstractmethod
    def contexts_of(self, batch: BatchT, steps: int) -> Iterator[BatchT]:
        """As `contexts`, for a batch of whole sequences: one target of each row."""

    @abstractmethod
    def longest(self) -> int:
        """The positions of a sequence; all sequences are equally long."""

    @abstractmethod
    def chance(self, split: Split) -> Baseline:
        """The result of a prediction that ignores the input, in closed form."""

    def batches(self, split: Split, seed: int) -> Iterator[BatchT]:
        rows = self.config.batch_size if split == "train" else self.config.eval_batch_size
        return self._drawn(split, seed, self.sizes[split], rows)

    def first(self, split: Split, count: int) -> BatchT:
        """The first sequences of a split, as one batch."""
        return next(self._drawn(split, 0, count, count))

    def _drawn(self, split: Split, seed: int, count: int, rows: int) -> Iterator[BatchT]:
        """The first `count` sequences of a pass over a split, in batches of `rows`."""
        pass_seed = seed if split == "train" else 0
        name = f"{self.config.data_seed}/{split}/{pass_seed}"
        generator = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
        for items_B in torch.arange(count).split(rows):
            drawn_BK = torch.from_numpy(generator.random((len(items_B), self.numbers())))
            yield self.sequences(drawn_BK, items_B)

    @cached_property
    def data_sha256(self) -> str:
        return self._digest(self.sizes)

    def heldout_sha256(self) -> str:
        return self._digest(HELD_OUT)

    def _digest(self, splits: Iterable[Split]) -> str:
        """Digest of the settings that determine the sequences, and of some sequences."""
        other = (*self.config.training_settings, "eval_lengths")
        chosen = {f.name: getattr(self.config, f.name) for f in fields(self.config) if f.name not in other}
        parts: list[str | bytes] = [type(self).__name__, repr(chosen)]
        for split in splits:
            batch = self.first(split, _DIGESTED)
            tensors = [value for value in vars(batch).values() if isinstance(value, Tensor)]
            parts += [split, *(value.contiguous().numpy().tobytes() for value in tensors)]
        return sha256_of(parts)

    def describe(self) -> Mapping[str, int | str]:
        return {
            **{f"{split} sequences": size for split, size in self.sizes.items()},
            "length": self.config.length,
            **({} if self.longest() == self.config.length else {"positions of a sequence": self.longest()}),
        }

    def check_windows(self, steps: int, network: Network[BatchT]) -> None:
        super().check_windows(steps, network)
        if steps < self.longest() and not network.carries_state():
            raise ConfigError(
                f"trainer.bptt_steps={steps} cannot apply: this model carries nothing from one window of a sequence to "
                "the next",
                "try a recurrent model, or trainer.bptt_steps=null",
            )

    def length(self) -> int:
        return self.config.length

    def eval_lengths(self) -> tuple[int, ...]:
        return self.config.eval_lengths

    def at_length(self, length: int) -> Task[Any]:
        try:
            self.config.check_length("length", length)
        except ValueError as error:
            what, _, remedy = str(error).partition("; ")
            raise ConfigError(what, remedy) from error
        # no more positions at once than at the length of training, so that memory suffices for longer sequences too
        rows = min(self.config.eval_batch_size, max(1, self.config.eval_batch_size * self.config.length // length))
        return replace(self.config, length=length, eval_batch_size=rows).build()

    def readable(self, network: Network[Any]) -> int | None:
        """The most positions that the network may read; None: any number."""
        return readable_positions(network, self.longest())

    def check_readable(self, network: Network[Any], positions: int) -> None:
        """Raise DataError for more positions than training prepared the network for."""
        if (most := self.readable(network)) is not None and positions > most:
            raise DataError(
                f"a sequence of {positions} positions is longer than those of training, {most}, and this model could "
                "not have learned what lies further back",
                f"give one of {most} positions or fewer, or use a recurrent model",
            )

    def contexts(self, split: Split, steps: int, longest: int, count: int) -> Iterator[BatchT]:
        if longest > self.longest():
            raise DataError(f"a sequence has {self.longest()} positions, too few for a context of {longest}")
        rows = self.config.eval_batch_size
        for batch in self._drawn(split, 0, min(count, self.sizes[split]), rows):
            yield from self.contexts_of(batch, steps)
