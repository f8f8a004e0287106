"""The views of gradient and memory on sequences that are drawn, and begin where they are read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqlab.core.network import Network, StepOutput
from seqlab.core.state import State
from seqlab.data.batches import TokenBatch
from seqlab.insight.gradient import gradient
from seqlab.insight.inspected import InspectedRun
from seqlab.insight.memory import memory
from seqlab.insight.reach import Curve, measure
from tests.conftest import MODELS, tiny_config, tiny_network
from tests.kinds.test_generated import GENERATED, made


def inspected(model: str, task: str, *overrides: str, network: Network[Any] | None = None) -> InspectedRun:
    config = tiny_config(model, task, *overrides)
    return InspectedRun("it", Path("nowhere"), config, made(task, *overrides), network or tiny_network(config), 0)


@pytest.mark.parametrize("task", GENERATED)
@pytest.mark.parametrize("model", MODELS)
def test_a_sequence_is_followed_to_its_beginning(model: str, task: str) -> None:
    run = inspected(model, task)
    (picture,) = gradient([run])
    (found,) = picture.data["runs"]
    assert found["window"] == run.task.longest()
    assert found["positions"] == 20
    last = max(batch.positions // batch.size for batch in made(task).contexts("validation", 99, 1, 20))
    assert len(found["inputs"]["median"]) == last - 1  # the position of the target itself needs no memory
    assert np.isfinite(found["inputs"]["median"]).all()
    assert picture.svg


def test_rows_that_begin_later_have_no_gradient_at_larger_lags() -> None:
    network = tiny_network(tiny_config("gru", "recall"))

    def contexts(rows: int, steps: int) -> TokenBatch:
        torch.manual_seed(steps)
        inputs_BT = torch.randint(4, 200, (rows, steps))
        targets_BT = torch.full_like(inputs_BT, -100)
        targets_BT[:, -1] = 7
        return TokenBatch(inputs_BT=inputs_BT, targets_BT=targets_BT, target_count=rows, positions=rows * steps)

    short, long = contexts(3, 5), contexts(2, 9)
    both, alone = measure(network, [short, long], 9), [measure(network, [batch], 9) for batch in (short, long)]
    for name in ("state_NK", "input_NK"):
        joined, parts = getattr(both, name), [getattr(part, name) for part in alone]
        assert joined.shape == (5, parts[1].shape[1])
        assert np.isin(np.ma.getmask(joined), True).sum() == 3 * 4
        np.testing.assert_allclose(joined[:3, : parts[0].shape[1]], parts[0])
        np.testing.assert_allclose(joined[3:], parts[1])
        curve = Curve.of(joined)
        np.testing.assert_allclose(curve.median_K[-4:], np.median(parts[1], 0)[-4:])
        np.testing.assert_allclose(curve.median_K[0], np.median(np.concatenate([part[:, 0] for part in parts])))
        assert curve.zero_from is curve.nonfinite_from is None


class _Adds(Network[Any]):
    """Adds up what is marked."""

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        return ()

    def forward(self, batch: Any, state: State) -> StepOutput:
        prediction_BT1 = batch.inputs_BTF.prod(-1, keepdim=True).cumsum(1)
        error = (prediction_BT1 - batch.targets_BTK)[batch.scored_BT]
        return StepOutput(error.square().sum() / 2, (), prediction_BT1)


def test_what_is_cut_off_is_missing_from_the_sum() -> None:
    run = inspected("gru", "adding", "task.length=12", network=_Adds())
    (picture,) = memory([run])
    (found,) = picture.data["runs"]
    assert found["context"][-1] == found["window"] == 12
    inputs_NTF = torch.cat([batch.inputs_BTF for batch in run.task.batches("validation", 0)])
    for steps, value in zip(found["context"], found["value"], strict=True):
        missing_B = inputs_NTF[:, : 12 - steps].prod(-1).sum(1)
        assert value == pytest.approx(float(missing_B.square().mean()), abs=1e-6)
    assert found["value"][0] > 0.5
    assert found["value"][-1] == pytest.approx(0.0, abs=1e-9)
    assert "at the same 20 targets" in picture.about


@pytest.mark.parametrize("task", GENERATED)
def test_the_longest_context_is_a_whole_sequence(task: str) -> None:
    run = inspected("lstm", task)
    (picture,) = memory([run])
    (found,) = picture.data["runs"]
    assert found["context"][-1] == run.task.longest()
    meter = run.evaluate(made(task).contexts("validation", run.task.longest(), 1, 20))
    assert found["value"][-1] == pytest.approx(meter.compute()[meter.primary].value)
    assert picture.svg
