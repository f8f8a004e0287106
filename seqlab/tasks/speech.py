"""Speech: one label for an utterance (many-to-one, real values in). B batch, T time, F features."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor

from seqlab.baselines.neighbours import nearest_vector
from seqlab.core.baseline import Baseline
from seqlab.core.batch import Split
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.task import Task, TaskConfig
from seqlab.data.batches import LabelledFrames
from seqlab.data.corpora import corpus_or_path, with_kind
from seqlab.data.frames import stacked
from seqlab.data.labels import in_order, label_counts, label_warnings
from seqlab.data.log_mel import LogMel
from seqlab.data.splits import check_known_labels
from seqlab.data.utterances import FORM, Corpus, Reading, archive_of, check_folder, labelled, read_archive
from seqlab.errors import DataError
from seqlab.kinds.utterances import Utterances, UtterancesConfig
from seqlab.metrics import classification
from seqlab.networks.classifier import FrameClassifier, Pooling, probabilities

_SHOWN = 6  # utterances


@config_dataclass(frozen=True, kw_only=True)
class SpeechConfig(UtterancesConfig):
    """Settings of `task=speech`, beside those of every task on utterances.

    A folder has recordings in a sub-folder for each label, or NAME_TRAIN.ts and NAME_TEST.ts of the UEA archive.
    pooling: how the positions become one vector.
    """

    training_settings = (*UtterancesConfig.training_settings, "pooling")

    pooling: Pooling

    def build(self) -> Speech:
        found, unread = self.read(self.corpus, "task.corpus")
        if isinstance(found, Corpus):
            return Speech(found, None, self)
        return Speech(*self.recorded(found, by_label=True, unread=unread), self)

    def read(self, where: str, key: str) -> tuple[Corpus | list[Reading], int]:
        """(a corpus by its name, the series of an archive, or the recordings in a folder; other files there)."""
        found = corpus_or_path(where, key, "speech", FORM)
        if not isinstance(found, Path):
            return found.content("speech", self.split_seed), 0
        check_folder(found, key)
        if (archive := archive_of(found, key)) is not None:
            return read_archive(*archive, key, self.split_seed), 0
        return labelled(found, key, self.max_seconds)

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Speech:
        task = Speech.restored(read).with_stored(self, vocabulary)
        task.labels = tuple(map(str, vocabulary["labels"]))
        return task


class Speech(Utterances[LabelledFrames]):
    """Labelled utterances."""

    config: SpeechConfig

    def __init__(self, corpus: Corpus, mel: LogMel | None, config: SpeechConfig) -> None:
        super().__init__(corpus, mel, config)
        self.labels = tuple(in_order({text for split in self.parts for text in self.texts(split)}))
        if len(self.labels) < 2:
            raise DataError(f"task.corpus={config.corpus} has only one label, {self.labels[0]!r}", "give at least two")
        if missing := set(self.labels) - set(self.texts("train")):
            raise DataError(f"no training utterance has the label {min(missing)!r}", "give each label ten or more")

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Speech:
        assert isinstance(config, SpeechConfig)
        task = self.tested_on(config.read(where, key)[0], f"{key}={where}")
        check_known_labels(self.labels, [(one.name, one.text) for one in task.parts["test"]], f"{key}={where}")
        return task

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {**super().stored_vocabulary(), "labels": self.labels}

    def vocabulary(self) -> Iterable[str]:
        return self.labels

    def build_network(self, model: ModelConfig) -> FrameClassifier:
        pooling, bidirectional = self.config.pooling, self.config.bidirectional
        return FrameClassifier(self.features, len(self.labels), model, pooling=pooling, bidirectional=bidirectional)

    def gathered(self, frames_BTF: Tensor, valid_BT: Tensor, items_B: Tensor, split: Split) -> LabelledFrames:
        return LabelledFrames.of(frames_BTF, valid_BT, torch.tensor(self._classes(split))[items_B], items_B)

    def unanswered(self, frames_BTF: Tensor, valid_BT: Tensor) -> LabelledFrames:
        rows = len(frames_BTF)
        return LabelledFrames.of(frames_BTF, valid_BT, torch.zeros(rows, dtype=torch.long), torch.arange(rows))

    def _classes(self, split: Split) -> list[int]:
        return [self.labels.index(text) for text in self.texts(split)]

    def meter(self, split: Split) -> classification.ClassificationMeter[LabelledFrames]:
        return classification.ClassificationMeter(self.labels, self.names(split), "accuracy", item="utterance")

    def describe(self) -> Mapping[str, int | str]:
        return {
            "corpus": with_kind(self.config.corpus, "speech"),
            **super().describe(),
            "labels": label_counts(self._counts()),
        }

    def _counts(self) -> Mapping[str, int]:
        return Counter(text for split in self.parts for text in self.texts(split))

    def warnings(self) -> Iterable[str]:
        yield from super().warnings()
        yield from label_warnings(self._counts())

    def chance(self, split: Split) -> Baseline:
        return classification.majority_baseline(self._classes("train"), self._classes(split), self.labels)

    def baselines(self) -> Iterator[Baseline]:
        yield self.chance("test")
        summary = {
            split: torch.stack([torch.cat((x_TF.mean(0), x_TF[0], x_TF[-1])) for x_TF in self.sequences[split]]).numpy()
            for split in self.parts
        }
        found = nearest_vector(summary["train"], summary["test"])
        train_N = self._classes("train")
        metrics = classification.classification_metrics(
            self._classes("test"), [train_N[index] for index in found], len(self.labels)
        )
        yield Baseline("nearest", "the label of the nearest utterance of train, by mean, first and last frame", metrics)

    def predict(self, network: Network[LabelledFrames], text: str, generation: GenerationConfig) -> Prediction:
        (shares,) = self.classify(network, [self.sequence(text)])
        return classification.ranked_labels(shares)

    def samples(self, network: Network[LabelledFrames], seed: int) -> str:
        part, sequences = self.parts["validation"], self.sequences["validation"]
        chosen = random.Random(seed).sample(range(len(part)), min(_SHOWN, len(part)))
        shares = self.classify(network, [sequences[at] for at in chosen])
        names, texts = [part[at].name for at in chosen], [part[at].text for at in chosen]
        return classification.beside_labels(names, shares, texts)

    def classify(self, network: Network[LabelledFrames], sequences: list[Tensor]) -> list[dict[str, float]]:
        """For each standardised sequence the probability of each label."""
        batch = self.alone([stacked(sequence, self.config.stack) for sequence in sequences])
        return [dict(zip(self.labels, row, strict=True)) for row in probabilities(network, batch)]
