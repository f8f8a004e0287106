"""The adding problem: its targets computed a second time, its baseline measured, and its texts."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.core.network import Network, StepOutput
from seqlab.core.prediction import GenerationConfig
from seqlab.core.state import State
from seqlab.data.batches import SeriesBatch
from seqlab.errors import DataError
from seqlab.metrics.regression import RegressionMeter
from seqlab.tasks.adding import Adding
from tests.conftest import tiny_config, tiny_network


def adding(*overrides: str) -> Adding:
    task = tiny_config("gru", "adding", *overrides).task.build()
    assert isinstance(task, Adding)
    return task


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(0, 9))
def test_the_target_is_the_sum_of_two_marked_numbers_one_in_each_half(length: int, seed: int) -> None:
    for batch in adding(f"task.length={length}", f"task.data_seed={seed}").batches("test", 0):
        for row, inputs in enumerate(batch.inputs_BTF.tolist()):
            marked = [place for place, (_, mark) in enumerate(inputs) if mark == 1.0]
            assert sum(mark for _, mark in inputs) == 2.0
            assert 0 <= marked[0] < length // 2 <= marked[1] < length
            assert all(0.0 <= value <= 1.0 for value, _ in inputs)
            target = sum(inputs[place][0] for place in marked)
            assert batch.targets_BTK[row, -1, 0].item() == pytest.approx(target, abs=1e-6)
            assert batch.scored_BT[row].tolist() == [False] * (length - 1) + [True]


def test_marks_and_numbers_are_uniform() -> None:
    task = adding("task.length=10", "task.test_size=20000")
    inputs = torch.cat([batch.inputs_BTF for batch in task.batches("test", 0)])
    share_T = inputs[..., 1].mean(0)
    sigma = math.sqrt(0.2 * 0.8 / 20_000)
    assert float((share_T - 0.2).abs().max()) < 4.5 * sigma
    values = inputs[..., 0]
    assert float(values.mean()) == pytest.approx(0.5, abs=4.5 * math.sqrt(1 / 12 / values.numel()))
    assert float(values.var()) == pytest.approx(1 / 12, rel=0.02)


def test_the_first_number_is_kept_for_three_quarters_of_the_length() -> None:
    """On average, as the settings say; half of the length lies between the marks."""
    length = 40
    task = adding(f"task.length={length}", "task.test_size=4000")
    marks = torch.cat([batch.inputs_BTF[..., 1] for batch in task.batches("test", 0)])
    first_B, second_B = marks.nonzero()[:, 1].view(-1, 2).double().unbind(1)
    assert float((length - first_B).mean()) == pytest.approx(0.75 * length, abs=1)
    assert float((second_B - first_B).mean()) == pytest.approx(0.5 * length, abs=1)


class _Constant(Network[Any]):
    """Predicts 1, whatever it reads."""

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        return ()

    def forward(self, batch: Any, state: State) -> StepOutput:
        prediction = torch.ones_like(batch.targets_BTK)
        error = (prediction - batch.targets_BTK)[batch.scored_BT]
        return StepOutput(error.square().sum() / 2, (), prediction)


def test_the_baseline_equals_measured_predictions_of_1() -> None:
    task, network = adding("task.test_size=20000"), _Constant()
    meter = task.meter("test")
    for batch in task.batches("test", 0):
        meter.update(batch, network(batch, ()), network)
    found, stated = meter.compute(), task.chance("test").metrics
    assert stated["mse"].value == pytest.approx(1 / 6)
    # E[e^4] = 1/15 for the error e of a sum of two uniform numbers around 1
    assert found["mse"].value == pytest.approx(1 / 6, abs=4 * math.sqrt((1 / 15 - 1 / 36) / 20_000))
    share = stated["solved"].value
    assert found["solved"].value == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 20_000))
    assert found["loss"].value == pytest.approx(found["mse"].value / 2)


def test_the_meter_against_figures_by_hand() -> None:
    meter, network = RegressionMeter(0.04), _Constant()
    for target, items in ((torch.tensor([1.03, 1.5]), torch.tensor([2, 0])), (torch.tensor([1.0]), torch.tensor([1]))):
        batch = SeriesBatch.of(
            torch.zeros(len(target), 3, 2), target.view(-1, 1, 1).expand(-1, 3, 1),
            torch.tensor([[False, False, True]]).expand(len(target), 3), items, padded=False,
        )  # fmt: skip
        meter.update(batch, network(batch, ()), network)
    figures = {name: metric.value for name, metric in meter.compute().items()}
    assert figures["mse"] == pytest.approx((0.03**2 + 0.5**2) / 3, rel=1e-4)
    assert figures["solved"] == pytest.approx(2 / 3)
    assert [item["error"] for item in meter.items()] == pytest.approx([-0.5, 0.0, -0.03], abs=1e-6)
    assert meter.item_sums().item_values() == pytest.approx([0.25, 0.0, 0.0009], abs=1e-6)
    # windows in which nothing is scored add nothing
    silent = SeriesBatch.of(
        torch.zeros(1, 3, 2), torch.zeros(1, 3, 1), torch.zeros(1, 3, dtype=torch.bool), torch.tensor([7])
    )
    meter.update(silent, network(silent, ()), network)
    assert len(list(meter.items())) == 3


def test_a_sequence_is_written_in_the_form_it_is_read() -> None:
    task, network = adding(), tiny_network(tiny_config("gru", "adding"))
    text = task.example_text(30)
    example = task.example(network, text)
    assert example.tokens == tuple(text.split())
    assert text.count("*") == 2
    first = next(task.batches("validation", 0))
    assert torch.allclose(example.batch.inputs_BTF[0], first.inputs_BTF[0], atol=0.00051)
    example = task.example(network, "0.3 0.5* 0.1 0.9*")
    assert example.batch.targets_BTK[0, -1].item() == pytest.approx(1.4)
    prediction = task.predict(network, "0.3 0.5* 0.1 0.9*", GenerationConfig())
    output = network(example.batch, network.initial_state(1)).logits[0, -1, 0]
    assert prediction.details["sum"] == pytest.approx(output.item())
    for wrong in ("", "a* 0.3*", "0.1 0.2* 0.3", "0.1* 0.2* 0.3*", "1.5* 0.2*", "nan* 0.1*"):
        with pytest.raises(DataError, match="number"):
            task.predict(network, wrong, GenerationConfig())
    said = task.samples(network, 0).splitlines()
    assert len(said) == 3
    assert all(" + " in line and "predicted: " in line for line in said)
