"""Transcription: the text of an utterance, by CTC (many-to-many, without an alignment). B batch, T time, F features."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.core.alignment import Alignment
from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, Split
from seqlab.core.fields import Count
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network, output_of
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.task import Task, TaskConfig
from seqlab.data.batches import UNSCORED, TranscribedFrames
from seqlab.data.corpora import corpus_or_path, with_kind
from seqlab.data.frames import stacked
from seqlab.data.log_mel import LogMel
from seqlab.data.utterances import FORM, Corpus, Reading, check_folder, transcribed
from seqlab.decoding.ctc import best_symbols, written_at
from seqlab.errors import DataError
from seqlab.kinds.utterances import Utterances, UtterancesConfig
from seqlab.metrics.generation import beside_targets
from seqlab.metrics.transcription import TranscriptionMeter, silence_baseline
from seqlab.networks.ctc import CtcNetwork, transcript_nats

_SHOWN = 6  # utterances


@config_dataclass(frozen=True, kw_only=True)
class TranscriptionConfig(UtterancesConfig):
    """Settings of `task=transcription`, beside those of every task on utterances.

    A folder has recordings, and the table transcripts.csv with their texts. utterances: how many, of a corpus that is
    made on demand.
    """

    utterances: Count

    def build(self) -> Transcription:
        return Transcription(*self.recorded(self.read(self.corpus, "task.corpus"), by_label=False), self)

    def read(self, where: str, key: str) -> list[Reading]:
        """A corpus by its name, or the recordings in a folder."""
        found = corpus_or_path(where, key, "transcription", FORM)
        if not isinstance(found, Path):
            readings: list[Reading] = found.content("transcription", self.utterances, self.split_seed)
            return readings
        check_folder(found, key)
        return transcribed(found, key, self.max_seconds)

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Transcription:
        task = Transcription.restored(read).with_stored(self, vocabulary)
        task.characters = tuple(map(str, vocabulary["characters"]))
        return task


class Transcription(Utterances[TranscribedFrames]):
    """Utterances and their transcripts. Symbol 0 is the blank; the others are the characters of training."""

    generation_options = ("beams",)
    config: TranscriptionConfig

    def __init__(self, corpus: Corpus, mel: LogMel, config: TranscriptionConfig) -> None:
        super().__init__(corpus, mel, config)
        self.characters = tuple(sorted({character for text in self.texts("train") for character in text}))
        self.targets = {split: [self._encode(text) for text in self.texts(split)] for split in self.parts}
        self._check_lengths()

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Transcription:
        assert isinstance(config, TranscriptionConfig)
        task = self.tested_on(config.read(where, key), f"{key}={where}")
        task.targets = {"test": [self._encode(text) for text in task.texts("test")]}
        task._check_lengths()
        return task

    def _encode(self, text: str) -> Tensor:
        """Its characters as symbols, without those that training does not have."""
        return torch.tensor(
            [1 + self.characters.index(one) for one in text if one in self.characters], dtype=torch.long
        )

    def _check_lengths(self) -> None:
        """Raise DataError if an utterance has fewer positions than its transcript needs: one for each character, and a
        blank between equal ones."""
        short = []
        for split, part in self.parts.items():
            for utterance, frames_TF, symbol_U in zip(part, self.sequences[split], self.targets[split], strict=True):
                needed = len(symbol_U) + int((symbol_U[1:] == symbol_U[:-1]).sum())
                if self._positions(frames_TF) < needed:
                    short.append(f"{utterance.name} ({self._positions(frames_TF)} positions, {needed} needed)")
        if short:
            raise DataError(
                f"{len(short)} utterances are too short for their transcripts: {', '.join(short[:3])[:200]}",
                "try a smaller task.stack or task.hop_ms, or correct the transcripts",
            )

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {**super().stored_vocabulary(), "characters": self.characters}

    def vocabulary(self) -> Iterable[str]:
        return self.characters

    def build_network(self, model: ModelConfig) -> CtcNetwork:
        return CtcNetwork(self.features, len(self.characters), model, bidirectional=self.config.bidirectional)

    def gathered(self, frames_BTF: Tensor, valid_BT: Tensor, items_B: Tensor, split: Split) -> TranscribedFrames:
        rows = [self.targets[split][item] for item in items_B.tolist()]
        target_BU = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=UNSCORED)
        return TranscribedFrames.of(frames_BTF, valid_BT, target_BU, items_B)

    def unanswered(self, frames_BTF: Tensor, valid_BT: Tensor) -> TranscribedFrames:
        rows = len(frames_BTF)
        return TranscribedFrames.of(frames_BTF, valid_BT, torch.ones(rows, 1, dtype=torch.long), torch.arange(rows))

    def meter(self, split: Split) -> TranscriptionMeter:
        return TranscriptionMeter(partial(self._written, 1), transcript_nats, self.names(split), self.texts(split))

    def _written(self, beams: int, logits_TV: Tensor) -> str:
        return "".join(self.characters[symbol - 1] for symbol in best_symbols(logits_TV, beams))

    def describe(self) -> Mapping[str, int | str]:
        unknown = {
            f"characters of {split} not in training": f"{count} of {of_all}"
            for split in HELD_OUT
            for count, of_all in self.unknown_in(split).values()
            if count
        }
        return {
            "corpus": with_kind(self.config.corpus, "transcription"),
            **super().describe(),
            "characters": len(self.characters),
            **unknown,
        }

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        texts = self.texts(split)
        known = sum(character in self.characters for text in texts for character in text)
        return {"characters": (sum(map(len, texts)) - known, sum(map(len, texts)))}

    def chance(self, split: Split) -> Baseline:
        return Baseline("nothing", "writes nothing", silence_baseline())

    def predict(self, network: Network[TranscribedFrames], text: str, generation: GenerationConfig) -> Prediction:
        (transcript,) = self.transcripts(network, [self.sequence(text)], generation.beams)
        return Prediction(transcript, {"transcript": transcript})

    def samples(self, network: Network[TranscribedFrames], seed: int) -> str:
        part, sequences = self.parts["validation"], self.sequences["validation"]
        chosen = random.Random(seed).sample(range(len(part)), min(_SHOWN, len(part)))
        written = self.transcripts(network, [sequences[at] for at in chosen])
        return beside_targets([(part[at].name, part[at].text) for at in chosen], written)

    def alignment(self, network: Network[TranscribedFrames], text: str) -> Alignment:
        sequence_TF, mel = self.sequence(text), self.mel
        assert mel is not None
        batch = self.alone([stacked(sequence_TF, self.config.stack)])
        probability_PS = output_of(network, batch).logits[0].cpu().double().softmax(-1)
        frame_seconds = mel.hop_ms / 1000
        return Alignment(
            (sequence_TF * self.scaling.deviation_F + self.scaling.mean_F).double().numpy(), mel.peaks(),
            probability_PS.numpy(), ("", *self.characters), frame_seconds, self.config.stack * frame_seconds,
            written_at(probability_PS.argmax(-1).tolist()), self._target(text),
        )  # fmt: skip

    def _target(self, text: str) -> str | None:
        """The transcript of an utterance that is named as SPLIT:NUMBER."""
        found = self.utterance(text)
        return None if found is None else self.parts[found[0]][found[1]].text

    def transcripts(self, network: Network[TranscribedFrames], sequences: list[Tensor], beams: int = 1) -> list[str]:
        """The transcript of each standardised sequence."""
        batch = self.alone([stacked(sequence, self.config.stack) for sequence in sequences])
        logits_BTV = output_of(network, batch).logits.cpu()
        lengths = batch.valid_BT[:, : logits_BTV.shape[1]].sum(1).tolist()
        return [self._written(beams, logits_BTV[row, :length]) for row, length in enumerate(lengths)]
