"""Metrics of a classifier, in total and by length, against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seqlab.core.network import StepOutput
from seqlab.core.results import Answered, ByLength, Confusion
from seqlab.data.batches import LabelledBatch
from seqlab.metrics.classification import ClassificationMeter, classification_metrics
from seqlab.networks.classifier import Classifier
from tests.conftest import MODELS, tiny_config

LABELS = ("bad", "fair", "good")


def _meter(targets: list[int], predictions: list[int], lengths: list[int]) -> ClassificationMeter[LabelledBatch]:
    """One that has read texts of these lengths, the last one first and each in a batch of its own."""
    network = Classifier(5, 3, tiny_config(MODELS[0], "sentiment").model, pooling="max", bidirectional=False)
    meter: ClassificationMeter[LabelledBatch] = ClassificationMeter(
        LABELS, ["x" * n for n in lengths], "f1", length_of=len, unit="characters"
    )
    for place in reversed(range(len(targets))):
        logits_BC = 3.0 * torch.nn.functional.one_hot(torch.tensor([predictions[place]]), 3)
        tokens_BT, label_B = torch.ones(1, 1, dtype=torch.long), torch.tensor([targets[place]])
        batch = LabelledBatch.of(tokens_BT, tokens_BT > 0, label_B, torch.tensor([place]))
        meter.update(batch, StepOutput(torch.zeros(()), (), logits_BC), network)
    return meter


def test_accuracy_and_f1_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    targets, predictions = (rng.integers(0, 3, 40).tolist() for _ in range(2))
    found = classification_metrics(targets, predictions, 3)
    f1 = []
    for label in range(3):
        right = sum(t == p == label for t, p in zip(targets, predictions, strict=True))
        f1.append(2 * right / (targets.count(label) + predictions.count(label)))
    assert found["accuracy"].value == pytest.approx(np.mean(np.array(targets) == predictions))
    assert found["f1"].value == pytest.approx(np.mean(f1))
    meter = _meter(targets, predictions, [1] * 40)
    assert {name: meter.compute()[name] for name in found} == found
    sums = meter.item_sums()
    assert sums.aggregate(sums.sums_NK.sum(0)) == pytest.approx(found["f1"].value)


def test_texts_are_grouped_by_length() -> None:
    lengths = [1, 1, 2, 2, 3, 3, 8, 8, 9, 9, 20, 30]
    right = [True] * 6 + [False] * 5 + [True]
    meter = _meter([0] * 12, [0 if ok else 1 for ok in right], lengths)
    (groups,) = (result for result in meter.results() if isinstance(result, ByLength))
    assert [(group.shortest, group.longest, group.items) for group in groups.groups] == [
        (1, 1, 2), (2, 2, 2), (3, 3, 2), (8, 8, 2), (9, 9, 2), (20, 30, 2),
    ]  # fmt: skip
    assert [group.metrics["accuracy"].value for group in groups.groups] == [1, 1, 1, 0, 0, 0.5]
    assert all(low <= high for low, high in (group.interval for group in groups.groups))
    answers = [result for result in meter.results() if isinstance(result, Answered)]
    assert [answer.right for answer in answers] == right  # in the split's order
    (confusion,) = (result for result in meter.results() if isinstance(result, Confusion))
    assert confusion.counts_CC[0].tolist() == [7, 5, 0]


def test_without_lengths_there_are_no_groups() -> None:
    meter = _meter([0, 1], [0, 0], [1, 2])
    meter.length_of = None
    assert not any(isinstance(result, ByLength) for result in meter.results())
    assert next(meter.items())["prediction"] == "bad"
    headings = [table.headings for table in meter.tables()]
    assert headings[0] == ("", "predicted bad", "predicted fair", "predicted good")
