"""What the answers of sequences are worth: accuracy, the share of sequences that are right as a whole, and the loss.

Shape letters: B rows of a batch, T time, N sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, stack
from torch.nn import functional as F

from seqlab.core.items import Floats, ItemSums
from seqlab.core.meter import Meter
from seqlab.core.metric import Metric
from seqlab.core.network import Network, StepOutput
from seqlab.data.batches import UNSCORED, TokenBatch
from seqlab.metrics import gather


def answer_metrics(accuracy: float, nats: float, per: str) -> dict[str, Metric]:
    """Accuracy of the answers, and the loss in nats `per` scored position ("position" or "answer")."""
    return {
        "accuracy": Metric(accuracy, "", higher_is_better=True, lowest=0.0, highest=1.0),
        "loss": Metric(nats, f"nats/{per}", higher_is_better=False, lowest=0.0),
    }


class AnswerMeter(Meter[TokenBatch]):
    """Right answers and the loss over whole sequences, which are the items. Sequences come in the split's order, at
    once or in windows.

    tokens: the vocabulary. blank: the target, if there is one, that is scored and is no answer.
    """

    def __init__(self, tokens: Sequence[str], primary: Literal["accuracy", "loss"], blank: int | None = None) -> None:
        self.tokens, self.primary, self.blank = tokens, primary, blank
        self.sums: list[Tensor] = []  # of each sequence (nats, scored positions, right answers, answers)
        self.answers: list[Tensor] = []  # of each answer (sequence, target, prediction)
        self.sequences = 0

    def update(self, batch: TokenBatch, output: StepOutput, network: Network[TokenBatch]) -> None:
        targets_BT, logits_BTV = batch.targets_BT, output.logits.float()
        scored_BT, prediction_BT = targets_BT != UNSCORED, logits_BTV.argmax(-1)
        answer_BT = scored_BT if self.blank is None else scored_BT & (targets_BT != self.blank)
        nats_BT = F.cross_entropy(logits_BTV.mT, targets_BT, ignore_index=UNSCORED, reduction="none")
        right_BT = answer_BT & (prediction_BT == targets_BT)
        sums_B4 = stack([part_BT.sum(1).float() for part_BT in (nats_BT, scored_BT, right_BT, answer_BT)], 1)
        if batch.continues:
            self.sums[-1] = self.sums[-1] + sums_B4
        else:
            self.sums.append(sums_B4)
            self.sequences += batch.size
        row_BT = torch.arange(batch.size, device=targets_BT.device)[:, None].expand_as(targets_BT)
        place_BT = self.sequences - batch.size + row_BT
        self.answers.append(stack([part_BT[answer_BT] for part_BT in (place_BT, targets_BT, prediction_BT)], 1))

    def compute(self) -> dict[str, Metric]:
        sums_N4 = gather(self.sums)
        nats, scored, right, answers = sums_N4.sum(0).tolist()
        exact = float((sums_N4[:, 2] == sums_N4[:, 3]).mean())
        per = "answer" if self.blank is None else "position"
        return {
            **answer_metrics(right / max(answers, 1), nats / max(scored, 1), per),
            "exact": Metric(exact, "", higher_is_better=True, lowest=0.0, highest=1.0),
        }

    def item_sums(self) -> ItemSums:
        sums_N4 = gather(self.sums)
        chosen_N2 = sums_N4[:, :2] if self.primary == "loss" else sums_N4[:, 2:]

        def mean(sums: Floats) -> float:
            return float(sums[0] / sums[1])

        return ItemSums(chosen_N2, mean)

    def items(self) -> Iterator[dict[str, Any]]:
        sums_N4, answers_A3 = gather(self.sums), gather(self.answers).astype(int)
        answers_A3 = answers_A3[np.argsort(answers_A3[:, 0], kind="stable")]
        parts = np.split(answers_A3, np.searchsorted(answers_A3[:, 0], np.arange(1, len(sums_N4))))
        for item, ((nats, _, right, answers), part) in enumerate(zip(sums_N4.tolist(), parts, strict=True)):
            target, prediction = (" ".join(self.tokens[token] for token in part[:, column]) for column in (1, 2))
            yield {
                "item": item,
                "target": target,
                "prediction": prediction,
                "right": right == answers,
                "accuracy": right / max(answers, 1),
                "nats": nats,
            }
