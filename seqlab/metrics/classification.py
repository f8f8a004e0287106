"""Metrics of classifiers: accuracy, macro F1, confusion, and accuracy by length. N items, C classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, stack
from torch.nn import functional as F

from seqlab.baselines.bag_of_words import bag_of_words, majority
from seqlab.core.baseline import Baseline
from seqlab.core.batch import Split
from seqlab.core.items import Floats, ItemSums
from seqlab.core.meter import Meter, Table
from seqlab.core.metric import Metric
from seqlab.core.network import Network, StepOutput
from seqlab.core.prediction import Prediction
from seqlab.core.results import Answered, ByLength, Confusion, Result
from seqlab.data.batches import LabelledT
from seqlab.data.labels import in_order
from seqlab.metrics import gather
from seqlab.metrics.by_length import by_length

_MISTAKES = 8  # shown to people


def classification_metrics(target_N: Sequence[int], prediction_N: Sequence[int], classes: int) -> dict[str, Metric]:
    """Accuracy and macro F1 of predicted classes."""
    counts_CC = count_pairs(np.stack((target_N, prediction_N), 1), classes)
    return _rates(counts_CC.diagonal(), counts_CC.sum(0) + counts_CC.sum(1))


def count_pairs(pairs_N2: Any, classes: int) -> Floats:
    """counts_CC of (target, prediction) pairs: targets by row, predictions by column."""
    counts_CC = np.zeros((classes, classes))
    np.add.at(counts_CC, tuple(np.asarray(pairs_N2).astype(int).reshape(-1, 2).T), 1)
    return counts_CC


def _rates(right_C: Floats, either_C: Floats) -> dict[str, Metric]:
    """Accuracy and macro F1. right_C: the correctly predicted items of each class; either_C: the items of each class
    plus the items predicted as it."""
    # a class that neither occurs nor is predicted has no F1; it is left out of the mean
    f1 = (2 * right_C[either_C > 0] / either_C[either_C > 0]).mean()
    accuracy = float(right_C.sum() / either_C.sum() * 2)
    return {
        "accuracy": Metric(accuracy, "", higher_is_better=True, lowest=0.0, highest=1.0),
        "f1": Metric(float(f1), "macro F1", higher_is_better=True, lowest=0.0, highest=1.0),
    }


class ClassificationMeter(Meter[LabelledT]):
    """Confusion counts and the loss over every item.

    texts: the texts of the split. primary: accuracy or f1. item: what an item is called. length_of, unit: a text's
    length and its unit, for accuracy by length.
    """

    def __init__(
        self,
        labels: Sequence[str],
        texts: Sequence[str],
        primary: str,
        *,
        item: str = "text",
        length_of: Callable[[str], int] | None = None,
        unit: str = "tokens",
    ) -> None:
        self.labels, self.texts, self.primary, self.item = labels, texts, primary, item
        self.length_of, self.unit = length_of, unit
        self.pairs: list[Tensor] = []
        self.nats: list[Tensor] = []
        self.probabilities: list[Tensor] = []
        self.places: list[Tensor] = []

    def update(self, batch: LabelledT, output: StepOutput, network: Network[LabelledT]) -> None:
        target_B, logits_BC = batch.labels_B, output.logits.float()
        self.pairs.append(stack((target_B, output.logits.argmax(-1)), 1)[batch.ends_B])
        self.nats.append(F.cross_entropy(logits_BC, target_B, reduction="none")[batch.ends_B])
        self.probabilities.append(logits_BC.softmax(-1)[batch.ends_B])
        self.places.append(batch.items_B[batch.ends_B])

    def compute(self) -> dict[str, Metric]:
        loss = Metric(float(gather(self.nats).mean()), f"nats/{self.item}", higher_is_better=False, lowest=0.0)
        targets, predictions = gather(self.pairs).astype(int).T
        return {**classification_metrics(targets, predictions, len(self.labels)), "loss": loss}

    def item_sums(self) -> ItemSums:
        pairs_N2 = gather(self.pairs).astype(int)[np.argsort(gather(self.places))]
        is_N2C = np.eye(len(self.labels))[pairs_N2]
        # for each class: whether the item is rightly predicted as it, and how many of its target and prediction are it
        sums_NK = np.concatenate((is_N2C.prod(1), is_N2C.sum(1)), 1)
        return ItemSums(sums_NK, lambda sums: _rates(*np.split(sums, 2))[self.primary].value)

    def confusion(self) -> Confusion:
        """Counts of targets and predictions, with the labels as a person lists them."""
        order = [self.labels.index(label) for label in in_order(self.labels)]
        counts_CC = count_pairs(gather(self.pairs), len(self.labels)).astype(np.int64)[np.ix_(order, order)]
        return Confusion(tuple(self.labels[place] for place in order), counts_CC)

    def answered(self) -> Iterator[Answered]:
        """Each item, in the split's order."""
        pairs, nats, probabilities = gather(self.pairs).astype(int), gather(self.nats), gather(self.probabilities)
        places = gather(self.places).astype(int)
        for row in np.argsort(places):
            target, prediction = (self.labels[label] for label in pairs[row])
            of_each = dict(zip(self.labels, probabilities[row].tolist(), strict=True))
            yield Answered(self.texts[places[row]], prediction, target, float(nats[row]), of_each)

    def results(self) -> Iterator[Result]:
        yield self.confusion()
        answers = list(self.answered())
        yield from answers
        if self.length_of is not None:
            right_N = np.array([answer.right for answer in answers], dtype=np.float64)
            sums_N2 = np.stack((right_N, np.ones(len(right_N))), 1)

            def accuracy(sums: Floats) -> float:
                return float(sums[0] / sums[1])

            def metrics_of(chosen: Sequence[int]) -> dict[str, Metric]:
                share = float(right_N[list(chosen)].mean())
                return {"accuracy": Metric(share, "", higher_is_better=True, lowest=0.0, highest=1.0)}

            lengths = [self.length_of(answer.text) for answer in answers]
            groups = by_length(lengths, sums_N2, accuracy, metrics_of)
            yield ByLength(self.item, self.unit, "accuracy", "accuracy", groups)

    def details(self) -> dict[str, Any]:
        found = self.confusion()
        rows = zip(found.labels, found.counts_CC.tolist(), strict=True)
        return {"confusion": {target: dict(zip(found.labels, row, strict=True)) for target, row in rows}}

    def items(self) -> Iterator[dict[str, Any]]:
        places = np.sort(gather(self.places).astype(int)).tolist()
        for place, answer in zip(places, self.answered(), strict=True):
            yield {
                "item": place,
                "target": answer.target,
                "prediction": answer.prediction,
                "right": answer.right,
                "probabilities": answer.probabilities,
                "nats": answer.loss,
                "text": answer.text,
            }

    def tables(self) -> Iterator[Table]:
        found = self.confusion()
        rows = zip(found.labels, found.counts_CC.tolist(), strict=True)
        headings = ("", *(f"predicted {label}" for label in found.labels))
        yield Table("confusion", headings, tuple((f"target {label}", *row) for label, row in rows))
        wrong = [(answer.probabilities or {}, answer) for answer in self.answered() if not answer.right]
        wrong.sort(key=lambda pair: -pair[0][pair[1].prediction])
        mistakes = (
            (answer.text, answer.prediction, f"{of_each[answer.prediction]:.1%}", answer.target)
            for of_each, answer in wrong[:_MISTAKES]
        )
        yield Table("most confident mistakes", ("text", "prediction", "probability", "target"), tuple(mistakes))


def ranked_labels(probabilities: Mapping[str, float]) -> Prediction:
    """The labels of one text, the likeliest first."""
    ranked = sorted(probabilities, key=lambda label: -probabilities[label])
    shown = ", ".join(f"{label} {probabilities[label]:.1%}" for label in ranked)
    return Prediction(shown, {"label": ranked[0], "probabilities": dict(probabilities)})


def beside_labels(texts: Sequence[str], probabilities: Sequence[Mapping[str, float]], targets: Sequence[str]) -> str:
    """The predicted label of each text, a line each, and whether it is right."""
    lines = []
    for text, shares, target in zip(texts, probabilities, targets, strict=True):
        prediction = max(shares, key=lambda label: shares[label])
        mark = "right" if prediction == target else f"wrong, it is {target}"
        lines.append(f"{prediction} {shares[prediction]:.0%} ({mark}): {text}")
    return "\n".join(lines)


def bag_of_words_baseline(encoded: Mapping[Split, tuple[list[list[int]], list[int]]], classes: int) -> Baseline:
    """What logistic regression on the words of a text reaches. encoded: the ids and classes of each split."""
    texts, target_N = encoded["test"]
    prediction_N = bag_of_words(encoded["train"], encoded["validation"], texts)
    about = "logistic regression on tf-idf of words"
    return Baseline("bag of words", about, classification_metrics(target_N, prediction_N, classes))


def majority_baseline(train_N: Sequence[int], target_N: Sequence[int], labels: Sequence[str]) -> Baseline:
    """What always predicting the most frequent class of training reaches."""
    most_N = majority(train_N, target_N)
    about = f"always says {labels[most_N[0]]}"
    return Baseline("majority", about, classification_metrics(target_N, most_N, len(labels)))
