"""A meter's typed results against its plain values for tools."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqlab.core.results import Answered, ByLength, Confusion
from seqlab.training.device import resolve_device
from seqlab.training.validation import evaluate
from tests.conftest import TASKS, tiny_config, tiny_network, tiny_task


@pytest.mark.parametrize("name", TASKS)
def test_typed_results_agree_with_the_written_items(name: str) -> None:
    config = tiny_config("gru", name, "device=cpu")
    task = tiny_task(config)
    device = resolve_device(config.device, deterministic=False)
    meter = evaluate(tiny_network(config), task.batches("validation", 0), task.meter("validation"), device)
    results, items = list(meter.results()), list(meter.items())
    metrics = meter.compute()
    assert all(type(metric.value) is float for metric in metrics.values())  # plain numbers, for people and for JSON
    answered = [result for result in results if isinstance(result, Answered)]
    if answered:
        assert [answer.right for answer in answered] == [item["right"] for item in items]
        assert [answer.loss for answer in answered] == [item["nats"] for item in items]
    for answer in answered:
        if answer.probabilities is not None:
            assert max(answer.probabilities, key=answer.probabilities.__getitem__) == answer.prediction
    for result in results:
        if isinstance(result, Confusion):
            counts = {
                target: dict(zip(result.labels, row, strict=True))
                for target, row in zip(result.labels, result.counts_CC.tolist(), strict=True)
            }
            assert counts == meter.details()["confusion"]
            assert np.trace(result.counts_CC) == sum(answer.right for answer in answered)
        elif isinstance(result, ByLength):
            assert sum(group.items for group in result.groups) == len(items)
            assert [group.shortest for group in result.groups] == sorted(group.shortest for group in result.groups)
            for group in result.groups:
                assert group.metrics.keys() <= metrics.keys()
                low, high = group.interval
                # one item alone says nothing of others
                assert math.isnan(low) == (group.items == 1)
                assert group.items == 1 or low <= group.metrics[result.metric].value <= high
