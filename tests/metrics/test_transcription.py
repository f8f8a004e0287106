"""Error rates against a search by hand, and what each utterance adds to them."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.core.network import StepOutput
from seqlab.data.batches import TranscribedFrames
from seqlab.metrics.transcription import TranscriptionMeter, edits, error_rates, error_sums
from tests.conftest import tiny_config, tiny_network


@settings(max_examples=100, deadline=None)
@given(st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_edits_are_the_fewest(one: str, other: str) -> None:
    @cache
    def fewest(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        return min(fewest(a[1:], b) + 1, fewest(a, b[1:]) + 1, fewest(a[1:], b[1:]) + (a[0] != b[0]))

    assert edits(one, other) == fewest(one, other)


def test_rates_divide_all_edits_by_all_references() -> None:
    rates = error_rates(error_sums(["a cat", "dogs run"], ["a bat", "dog"]).sum(0))
    assert rates["cer"].value == pytest.approx((1 + 5) / (5 + 3))
    assert rates["wer"].value == pytest.approx((1 + 2) / (2 + 1))
    assert not rates["cer"].higher_is_better


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_items_are_in_the_splits_order_and_give_the_metric(order: tuple[int, ...]) -> None:
    targets, written = ("ab", "b", "aab"), {0: "ab", 1: "a", 2: "ab"}
    meter = TranscriptionMeter(
        lambda logits_TV: written[int(logits_TV[0, 0])],
        lambda logits_BTV, *_: logits_BTV[:, 0, 0],
        ("x", "y", "z"),
        targets,
    )
    network = tiny_network(tiny_config("rnn", "transcription"))
    for place in order:
        logits_BTV = torch.full((1, 2, 3), float(place))
        batch = TranscribedFrames.of(
            torch.zeros(1, 2, 1), torch.ones(1, 2, dtype=torch.bool), torch.ones(1, len(targets[place])).long(),
            torch.tensor([place]),
        )  # fmt: skip
        meter.update(batch, StepOutput(torch.zeros(()), (), logits_BTV), network)
    found = meter.compute()
    assert found["cer"].value == pytest.approx(2 / 6)
    assert found["wer"].value == pytest.approx(2 / 3)
    assert found["loss"].value == pytest.approx(3 / 6)
    sums = meter.item_sums()
    assert sums.sums_NK[:, :2].tolist() == [[0, 2], [1, 1], [1, 3]]
    assert sums.aggregate(sums.sums_NK.sum(0)) == pytest.approx(2 / 6)
    assert [(item["item"], item["text"], item["prediction"], item["right"]) for item in meter.items()] == [
        (0, "x", "ab", True), (1, "y", "a", False), (2, "z", "ab", False),
    ]  # fmt: skip
    assert [row[0] for table in meter.tables() for row in table.rows] == ["y", "z"]
