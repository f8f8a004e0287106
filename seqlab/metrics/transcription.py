"""Metrics of transcripts: character and word error rates, and the loss. N utterances."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from seqlab.core.items import Floats, ItemSums
from seqlab.core.meter import Meter, Table
from seqlab.core.metric import Metric
from seqlab.core.network import Network, StepOutput
from seqlab.core.results import Answered, Result
from seqlab.data.batches import TranscribedFrames
from seqlab.metrics import gather

_MISTAKES = 8  # shown to people


def edits(one: Sequence[object], other: Sequence[object]) -> int:
    """The least number of insertions, deletions and substitutions that turn one sequence into the other (Levenshtein
    1966)."""
    row = list(range(len(other) + 1))
    for place, item in enumerate(one, 1):
        before, row[0] = row[0], place
        for at, wanted in enumerate(other, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (item != wanted))
    return row[-1]


def error_sums(predictions: Sequence[str], references: Sequence[str]) -> Floats:
    """(N, 4): the edits and the length of each reference, in characters and in words."""
    rows = [
        [edits(a, b), len(b), edits(a.split(), b.split()), len(b.split())]
        for a, b in zip(predictions, references, strict=True)
    ]
    return np.array(rows, dtype=np.float64)


def error_rates(sums: Floats) -> dict[str, Metric]:
    """Character and word error rate of summed `error_sums`: edits divided by the length of the references. With many
    insertions they exceed 1."""
    characters, words = float(sums[0] / sums[1]), float(sums[2] / sums[3])
    return {
        "cer": Metric(characters, "", higher_is_better=False, lowest=0.0),
        "wer": Metric(words, "", higher_is_better=False, lowest=0.0),
    }


class TranscriptionMeter(Meter[TranscribedFrames]):
    """Error rates of transcripts, and the loss of the targets.

    write: the transcript of one row's scores (T, V). nats: minus the log probability of each row's target, of (logits,
    targets, valid positions). names: of the split's utterances; targets: their transcripts.
    """

    primary = "cer"

    def __init__(
        self,
        write: Callable[[Tensor], str],
        nats: Callable[[Tensor, Tensor, Tensor], Tensor],
        names: Sequence[str],
        targets: Sequence[str],
    ) -> None:
        self.write, self.nats_of, self.names, self.targets = write, nats, names, targets
        self.nats: list[Tensor] = []
        self.target_count = 0
        self.predictions: dict[int, str] = {}  # by place in the split
        self.places: list[Tensor] = []

    def update(self, batch: TranscribedFrames, output: StepOutput, network: Network[TranscribedFrames]) -> None:
        logits_BTV = output.logits.float()
        valid_BT = batch.valid_BT[:, : logits_BTV.shape[1]]
        self.nats.append(self.nats_of(logits_BTV, batch.target_BU, valid_BT))
        self.target_count += batch.target_count
        self.places.append(batch.items_B)
        lengths = valid_BT.sum(1).tolist()
        for row, place in enumerate(batch.items_B.tolist()):
            self.predictions[place] = self.write(logits_BTV[row, : lengths[row]].cpu())

    def _sums(self) -> Floats:
        """error_sums in the split's order."""
        places = sorted(self.predictions)
        return error_sums([self.predictions[place] for place in places], [self.targets[place] for place in places])

    def compute(self) -> dict[str, Metric]:
        nats = float(gather(self.nats).sum()) / max(1, self.target_count)
        loss = Metric(nats, "nats/character", higher_is_better=False, lowest=0.0)
        return {**error_rates(self._sums().sum(0)), "loss": loss}

    def item_sums(self) -> ItemSums:
        return ItemSums(self._sums(), lambda sums: float(sums[0] / sums[1]))

    def _answered(self) -> Iterator[tuple[int, Answered]]:
        nats = dict(zip(gather(self.places).astype(int).tolist(), gather(self.nats).tolist(), strict=True))
        for place in sorted(self.predictions):
            yield place, Answered(self.names[place], self.predictions[place], self.targets[place], nats[place])

    def results(self) -> Iterator[Result]:
        for _, answer in self._answered():
            yield answer

    def items(self) -> Iterator[dict[str, Any]]:
        for (place, answer), (wrong, length, *_) in zip(self._answered(), self._sums().tolist(), strict=True):
            yield {
                "item": place,
                "target": answer.target,
                "prediction": answer.prediction,
                "right": answer.right,
                "edits": int(wrong),
                "characters": int(length),
                "nats": answer.loss,
                "text": answer.text,
            }

    def tables(self) -> Iterator[Table]:
        rows = sorted(zip(self._sums()[:, 0].tolist(), self._answered(), strict=True), key=lambda row: -row[0])
        shown = ((answer.text, answer.prediction, answer.target, int(wrong))
                 for wrong, (_, answer) in rows[:_MISTAKES] if wrong)  # fmt: skip
        yield Table("most edits", ("utterance", "prediction", "target", "edits"), tuple(shown))


def silence_baseline() -> dict[str, Metric]:
    """The error rates of an empty transcript."""
    return error_rates(np.array([1.0, 1.0, 1.0, 1.0]))
