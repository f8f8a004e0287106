"""Metrics over items: jackknife values against formulas, intervals against known truths."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seqlab.core.batch import Batch
from seqlab.core.meter import Meter
from seqlab.core.metric import Metric
from seqlab.core.network import Network, StepOutput
from seqlab.data.batches import LabelledBatch, TokenBatch
from seqlab.data.token_ids import TokenIds, TokenSizes
from seqlab.data.vocabulary import Vocabulary
from seqlab.metrics import ItemSums, bootstrap_interval
from seqlab.metrics.classification import ClassificationMeter
from seqlab.metrics.likelihood import RunningTextMeter, block_length
from seqlab.runs.folder import read_items, read_result, write_items
from tests.conftest import TASKS


def test_the_item_values_of_a_mean_are_the_items() -> None:
    right_N = np.array([1.0, 0.0, 1.0, 1.0])
    sums = ItemSums(np.stack((right_N, np.ones(4)), 1), lambda sums: float(sums[0] / sums[1]))
    assert sums.item_values() == pytest.approx(right_N)


def test_the_values_of_a_ratio_have_its_variance() -> None:
    """Against the delta method: (x - r n) / mean(n) around r."""
    rng = np.random.default_rng(0)
    sums_N2 = np.stack((rng.gamma(2, size=400), rng.integers(5, 30, size=400).astype(np.float64)), 1)
    sums = ItemSums(sums_N2, lambda sums: float(sums[0] / sums[1]))
    ratio = sums_N2[:, 0].sum() / sums_N2[:, 1].sum()
    linear_N = ratio + (sums_N2[:, 0] - ratio * sums_N2[:, 1]) / sums_N2[:, 1].mean()
    assert sums.item_values() == pytest.approx(linear_N, rel=0.02, abs=0.002)


def test_an_interval_of_few_items_is_wide_enough() -> None:
    """Percentiles of ten draws alone hold the truth in 90 % of samples; expanded in about 95 %."""
    rng, held = np.random.default_rng(0), 0
    for index in range(300):
        sums_N2 = np.stack((rng.normal(size=10), np.ones(10)), 1)
        low, high = ItemSums(sums_N2, lambda sums: float(sums[0] / sums[1])).interval(index)
        held += low <= 0 <= high
    assert held >= 0.92 * 300
    assert all(map(math.isnan, ItemSums(np.ones((1, 2)), lambda sums: float(sums[0])).interval(0)))


def test_blocks_hold_the_mean_of_a_series_that_items_taken_as_independent_miss() -> None:
    """An autoregressive series, x_t = 0.7 x_(t-1) + noise: its mean varies 2.4 times as much as independent items'."""
    held, series_RN = {1: 0, 12: 0}, np.random.default_rng(0).normal(size=(150, 350))
    for place in range(1, 350):
        series_RN[:, place] += 0.7 * series_RN[:, place - 1]
    for index, x_N in enumerate(series_RN[:, 50:]):
        sums_N2 = np.stack((x_N, np.ones(300)), 1)
        for block in held:
            low, high = bootstrap_interval(sums_N2, lambda sums: float(sums[0] / sums[1]), index, 200, block)
            held[block] += low <= 0 <= high
    assert held[1] <= 0.72 * 150
    assert held[12] >= 0.87 * 150


def test_blocks_of_items_are_one_value_each_whose_mean_is_the_metric() -> None:
    sums_N2 = np.stack((np.arange(11.0), np.ones(11)), 1)
    sums = ItemSums(sums_N2, lambda sums: float(sums[0] / sums[1]), block=3)
    assert sums.item_values() == pytest.approx([1.5, 5.5, 9.0], abs=1.2)  # 4, 4 and 3 items
    assert len(sums.item_values()) == 3
    assert sums.item_values().mean() == pytest.approx(5.0, abs=0.2)
    plain = ItemSums(sums_N2, sums.aggregate)
    assert plain.interval(0) == bootstrap_interval(sums_N2, sums.aggregate, 0)


class _OneNumber(Meter[Batch]):
    """A meter of a user's own that knows no items, and may or may not have an interval."""

    primary = "loss"

    def update(self, batch: Batch, output: StepOutput, network: Network[Batch]) -> None: ...

    def compute(self) -> dict[str, Metric]:
        return {"loss": Metric(1.0, "nats", higher_is_better=False)}


class _Interval(_OneNumber):
    def interval(self, seed: int) -> tuple[float, float]:
        return 0.5, 1.5


def test_a_meter_without_items_may_have_an_interval_of_its_own_or_none() -> None:
    assert _Interval().interval(0) == (0.5, 1.5)
    assert all(map(math.isnan, _OneNumber().interval(0)))


def _char_meter(nats_N: Tensor, window: int, streams: int) -> RunningTextMeter:
    """A meter that has read a split of N + 1 characters in `streams` streams and batches of `window`."""
    vocabulary = Vocabulary.of(["ab"])
    ids = TokenIds(np.full(len(nats_N) + 1, len(vocabulary) - 1, dtype=np.uint8))
    ones_V = np.ones(len(vocabulary))
    meter = RunningTextMeter(vocabulary, ids, lambda: TokenSizes(ones_V, ones_V))
    stride = math.ceil(len(nats_N) / streams)
    for begin in range(0, stride, window):
        places_BT = stride * torch.arange(streams)[:, None] + begin + torch.arange(min(window, stride - begin))
        known_BT = places_BT < len(nats_N)
        nats_BT = nats_N[places_BT.clamp(max=len(nats_N) - 1)]
        # two classes of which one has just these nats
        right_BT = torch.full_like(places_BT, len(vocabulary) - 1)
        logits_BTV = torch.full((*nats_BT.shape, len(vocabulary)), -1e4)
        logits_BTV[..., -1] = 0.0
        logits_BTV[..., -2] = torch.log(torch.expm1(nats_BT.double()).clamp(min=1e-9)).float()
        batch = TokenBatch(
            inputs_BT=right_BT, targets_BT=right_BT.masked_fill(~known_BT, -100), starts_B=1 + places_BT[:, 0],
            target_count=int(known_BT.sum()), positions=int(known_BT.sum()),
        )  # fmt: skip
        output = StepOutput(torch.tensor(0.0), (), logits_BTV)
        meter.update(batch, output, torch.nn.Identity())  # type: ignore[arg-type]
    return meter


def test_blocks_of_text_are_the_same_whatever_the_window_and_the_batch() -> None:
    rng = np.random.default_rng(1)
    nats_N = torch.tensor(rng.gamma(2, size=4_321), dtype=torch.float32)
    found = [_char_meter(nats_N, window, streams).item_sums() for window, streams in ((7, 3), (64, 1), (100, 8))]
    first = found[0]
    assert first is not None
    assert len(first.sums_NK) == 4  # of 1,000 characters, the last one with what is left
    assert first.sums_NK[:, 1].tolist() == [999, 1000, 1000, 1322]  # nothing says what comes first
    for other in found[1:]:
        assert other is not None
        assert other.sums_NK == pytest.approx(first.sums_NK, rel=1e-5)
    assert first.sums_NK[1, 0] == pytest.approx(float(nats_N[999:1999].sum()), rel=1e-4)
    assert block_length(40_000) == 1600


def test_an_interval_over_blocks_covers_where_one_over_windows_does_not() -> None:
    """A text whose difficulty changes over some 150 characters, cut into 200 pieces as if each were a test split."""
    rng = np.random.default_rng(2)
    pieces, length, decay = 200, 25_000, math.exp(-1 / 150)
    noise = rng.normal(size=(pieces, length)) * math.sqrt(1 - decay**2)
    level_P, nats = rng.normal(size=pieces), np.empty((pieces, length))
    for t in range(length):
        level_P = decay * level_P + noise[:, t]
        nats[:, t] = 2 + level_P
    held = {}
    for block in (32, block_length(length)):
        cut = nats[:, : length // block * block].reshape(pieces, -1, block).sum(2)
        held[block] = 0
        for piece in cut:
            sums_N2 = np.stack((piece, np.full(len(piece), block)), 1)
            low, high = ItemSums(sums_N2, lambda sums: float(sums[0] / sums[1])).interval(0)
            held[block] += low <= 2 <= high
    assert held[32] < 0.7 * pieces
    assert held[1000] >= 0.9 * pieces


@pytest.mark.parametrize("task", TASKS)
def test_a_run_keeps_its_items(trained_runs: Path, task: str) -> None:
    run = next((trained_runs / "runs" / task).glob("*/a"))
    result: dict[str, Any] = read_result(run) or {}
    values = read_items(run, result["primary"])
    assert values is not None
    assert read_items(run, "another metric") is None
    # jackknife values of what is no mean are off by their bias
    assert np.mean(values) == pytest.approx(result["test"][result["primary"]], rel=0.05, abs=0.01)


def test_missing_items_are_not_stored(tmp_path: Path) -> None:
    write_items(tmp_path, "loss", (1.0, 2.5))
    assert read_items(tmp_path, "loss") == (1.0, 2.5)
    (tmp_path / "test_items.json").write_text('{"metric": "loss", "values": [1, null]}')
    assert read_items(tmp_path, "loss") is None
    write_items(tmp_path, "loss", ())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("metric", ["accuracy", "f1"])
def test_a_classifiers_items_give_its_metric_in_the_splits_order(metric: str) -> None:
    rng = np.random.default_rng(3)
    truth_N, logits_NC = torch.tensor(rng.integers(0, 3, 40)), torch.tensor(rng.normal(size=(40, 3)))
    found = []
    for order in (torch.arange(40), torch.tensor(rng.permutation(40))):
        meter: ClassificationMeter[LabelledBatch] = ClassificationMeter(("bad", "fair", "good"), [""] * 40, metric)
        for rows in order.split(7):
            batch = LabelledBatch(
                tokens_BT=truth_N[rows, None], valid_BT=torch.ones(len(rows), 1, dtype=torch.bool),
                labels_B=truth_N[rows], items_B=rows, ends_B=torch.ones(len(rows), dtype=torch.bool),
                target_count=len(rows), positions=len(rows),
            )  # fmt: skip
            meter.update(batch, StepOutput(torch.tensor(0.0), (), logits_NC[rows]), torch.nn.Identity())  # type: ignore[arg-type]
        sums = meter.item_sums()
        assert sums.aggregate(sums.sums_NK.sum(0)) == pytest.approx(meter.compute()[metric].value)
        found.append(sums.item_values())
    assert found[0] == pytest.approx(found[1])
