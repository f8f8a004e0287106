"""Tasks on utterances: sequences of real-valued frames, from recordings or given as numbers.

Shape letters: B batch, T time, F features.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.batch import HELD_OUT, SPLITS, BatchT, Split
from seqlab.core.example import Example
from seqlab.core.fields import Count, NonNegative, Positive, WholeNumber
from seqlab.core.model import context_of
from seqlab.core.network import Network
from seqlab.core.task import Task, TaskConfig
from seqlab.data.audio import read_recording
from seqlab.data.files import exists, expanded, sha256_of
from seqlab.data.frame_table import read_frames
from seqlab.data.frames import Masks, Scaling, frame_batches, padded, stacked
from seqlab.data.log_mel import LogMel
from seqlab.data.restored import Restorable
from seqlab.data.utterances import Corpus, Reading, corpus_of, for_test
from seqlab.errors import DataError, likely_name


@config_dataclass(frozen=True, kw_only=True)
class UtterancesConfig(TaskConfig):
    """Settings of every task on utterances.

    corpus: one by its name, or the path of a folder. mel_bands, frame_ms, hop_ms: of the log-mel spectrogram that
    recordings are read as. max_seconds: of a recording; longer ones are refused. stack: neighbouring frames that make
    one position. bidirectional: read each utterance in both directions. noise, time_masks, time_mask_width,
    feature_masks, feature_mask_width: what is hidden from training (data/frames.py, Masks). split_seed: of the fixed
    split.
    """

    training_settings: ClassVar[tuple[str, ...]] = (
        "batch_size", "eval_batch_size", "bidirectional", "mel_bands", "frame_ms", "hop_ms", "stack", "noise",
        "time_masks", "time_mask_width", "feature_masks", "feature_mask_width",
    )  # fmt: skip

    renamed: ClassVar[Mapping[str, str]] = {"folder": "corpus"}

    corpus: str
    mel_bands: Count
    frame_ms: Positive
    hop_ms: Positive
    max_seconds: Positive
    stack: Count
    bidirectional: bool
    batch_size: Count
    eval_batch_size: Count
    noise: NonNegative
    time_masks: WholeNumber
    time_mask_width: Count
    feature_masks: WholeNumber
    feature_mask_width: Count
    split_seed: WholeNumber

    def masks(self) -> Masks | None:
        """What is hidden from training; None for nothing."""
        if not (self.noise or self.time_masks or self.feature_masks):
            return None
        return Masks(self.noise, self.time_masks, self.time_mask_width, self.feature_masks, self.feature_mask_width)

    def spectrogram(self, rates: Collection[int]) -> LogMel:
        """The log-mel spectrogram of recordings with these sample rates: its bands end where the lowest one does."""
        mel = LogMel(self.mel_bands, self.frame_ms, self.hop_ms, min(rates) / 2)
        for rate in rates:
            mel.check(rate)
        return mel

    def recorded(self, readings: list[Reading], *, by_label: bool, unread: int = 0) -> tuple[Corpus, LogMel]:
        """(the utterances of recordings, the spectrogram that they are read as)."""
        mel = self.spectrogram({recording.rate for _, _, _, recording in readings})
        return corpus_of(readings, mel, self.split_seed, by_label=by_label, unread=unread), mel


class Utterances(Restorable, Task[BatchT]):
    """Utterances in three splits, standardised by the statistics of training. mel: how recordings are read; None for a
    corpus of other series."""

    config: UtterancesConfig

    def __init__(self, corpus: Corpus, mel: LogMel | None, config: UtterancesConfig) -> None:
        self.config, self.corpus, self.mel = config, corpus, mel
        self.parts = corpus.parts
        self.scaling = Scaling.of([utterance.frames_TF for utterance in self.parts["train"]])
        self.sequences = {
            split: [self.scaling(utterance.frames_TF) for utterance in part] for split, part in self.parts.items()
        }
        positions = {split: max(map(self._positions, part)) for split, part in self.sequences.items()}
        self.longest_utterance, self.trained_utterance = max(positions.values()), positions["train"]

    def with_stored(self, config: UtterancesConfig, stored: Mapping[str, Any]) -> Self:
        """The restored task with what its run stored, for TaskConfig.restore."""
        self.config = config
        self.scaling = Scaling(torch.tensor(stored["mean"]), torch.tensor(stored["deviation"]))
        mel = stored["mel"]
        self.mel = None if mel is None else LogMel(int(mel["bands"]), *(float(mel[key]) for key in _MEL[1:]))
        self.longest_utterance, self.trained_utterance = int(stored["longest"]), int(stored["trained"])
        return self

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {
            "mean": self.scaling.mean_F.tolist(), "deviation": self.scaling.deviation_F.tolist(),
            "mel": None if self.mel is None else {key: getattr(self.mel, key) for key in _MEL},
            "longest": self.longest_utterance, "trained": self.trained_utterance,
        }  # fmt: skip

    def tested_on(self, found: Corpus | list[Reading], what: str) -> Self:
        """The task with a corpus, named by `what`, as its test split, for `with_test_corpus` (data/utterances)."""
        task, features = self.detached(), len(self.scaling.mean_F)
        task.parts = {"test": for_test(found, None if self.mel is None else self.mel.of, features, what)}
        task.sequences = {"test": [self.scaling(utterance.frames_TF) for utterance in task.parts["test"]]}
        task.data_sha256 = task._digest(("test",))
        return task

    @abstractmethod
    def gathered(self, frames_BTF: Tensor, valid_BT: Tensor, items_B: Tensor, split: Split) -> BatchT:
        """The batch of these utterances of a split."""

    @abstractmethod
    def unanswered(self, frames_BTF: Tensor, valid_BT: Tensor) -> BatchT:
        """The batch of utterances whose labels or transcripts are unknown."""

    @property
    def features(self) -> int:
        """The features of a position."""
        return self.config.stack * len(self.scaling.mean_F)

    def batches(self, split: Split, seed: int) -> Iterator[BatchT]:
        train, config = split == "train", self.config
        rows, order = (config.batch_size, seed) if train else (config.eval_batch_size, None)
        masks = config.masks() if train else None
        for batch in frame_batches(self.sequences[split], rows, order, stack=config.stack, masks=masks):
            yield self.gathered(*batch, split)

    def _positions(self, sequence_TF: Tensor) -> int:
        return -(-len(sequence_TF) // self.config.stack)

    def longest(self) -> int:
        return self.longest_utterance

    def trained_positions(self, part: str) -> int:
        return self.trained_utterance

    @cached_property
    def data_sha256(self) -> str:
        return self._digest(SPLITS)

    def heldout_sha256(self) -> str:
        return self._digest(HELD_OUT)

    def _digest(self, splits: Iterable[Split]) -> str:
        return sha256_of(
            part for split in splits for one in self.parts[split] for part in (split, one.text, one.sha256)
        )

    def texts(self, split: Split) -> list[str]:
        """The label or transcript of each utterance."""
        return [utterance.text for utterance in self.parts[split]]

    def names(self, split: Split) -> list[str]:
        """What each utterance is called."""
        return [utterance.name for utterance in self.parts[split]]

    def describe(self) -> Mapping[str, int | str]:
        rates = ", ".join(f"{rate:,} ({count:,})" for rate, count in self.corpus.rates.items())
        told: dict[str, int | str] = {
            "samples a second": rates,
            "other files": self.corpus.unread,
            "recordings left out, equal to others": self.corpus.repeats,
        }
        return {
            **{f"{split} utterances": len(part) for split, part in self.parts.items()},
            "features of a position": self.features,
            "positions of the longest": self.longest_utterance,
            **{what: value for what, value in told.items() if value},
        }

    def warnings(self) -> Iterable[str]:
        if len(self.corpus.rates) > 1:
            yield (
                f"the recordings have {len(self.corpus.rates)} sample rates, from {min(self.corpus.rates):,}: what is "
                f"above {min(self.corpus.rates) / 2:,.0f} Hz, which only some of them have, is not read"
            )

    def utterance(self, text: str) -> tuple[Split, int] | None:
        """(split, place) of the utterance SPLIT:NUMBER; None for another text. Raises DataError if there is none."""
        name, _, number = text.strip().rpartition(":")
        split: Split | None = next((split for split in HELD_OUT if split == name), None)
        if split is None or not number.isdecimal():
            return None
        count = len(self.sequences[split])
        if not 1 <= int(number) <= count:
            raise DataError(f"there is no utterance {number[:20]} of {split}", f"they go from 1 to {count:,}")
        return split, int(number) - 1

    def sequence(self, text: str) -> Tensor:
        """frames_TF, standardised, of what a user names: the path of a recording or of a table of numbers, or an
        utterance of the corpus as SPLIT:NUMBER. Raises DataError."""
        if (found := self.utterance(text)) is not None:
            return self.sequences[found[0]][found[1]]
        split, _, number = text.strip().rpartition(":")
        path = expanded(text.strip())
        if not exists(path):
            near = likely_name(split, HELD_OUT)
            kind = f"a table with {len(self.scaling.mean_F)} numbers a line" if self.mel is None else "a recording"
            raise DataError(
                f"{text.strip()[:100]!r} is no file and no utterance of the corpus",
                f"did you mean {near}:{number[:20]}?" if near else f"give the path of {kind}, or e.g. validation:1",
            )
        if self.mel is None:
            return self.scaling(read_frames(path, len(self.scaling.mean_F)))
        recording = read_recording(path, "recording", self.config.max_seconds)
        return self.scaling(self.mel.of(recording, f"recording: {path}"))

    def example_text(self, length: int) -> str:
        """The utterance of the validation split whose length is nearest."""
        sequences = self.sequences["validation"]
        nearest = min(range(len(sequences)), key=lambda at: abs(self._positions(sequences[at]) - length))
        return f"validation:{nearest + 1}"

    def example(self, network: Network[BatchT], text: str) -> Example[BatchT]:
        frames_TF = stacked(self.sequence(text), self.config.stack)
        read = min(len(frames_TF), context_of(network) or len(frames_TF))
        tokens = tuple(self._time(position) for position in range(read))
        unit = "frames" if self.mel is None else "seconds"
        return Example(self.alone([frames_TF[:read]]), tokens, truncated=len(frames_TF) - read, unit=unit)

    def _time(self, position: int) -> str:
        """A position for people: its beginning in seconds, or its number."""
        if self.mel is None:
            return str(1 + position)
        return f"{position * self.config.stack * self.mel.hop_ms / 1000:.2f}"

    def alone(self, sequences: list[Tensor]) -> BatchT:
        """The batch of these sequences of positions."""
        return self.unanswered(*padded(sequences))


_MEL = ("bands", "frame_ms", "hop_ms", "highest_hz")
