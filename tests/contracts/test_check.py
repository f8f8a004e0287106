"""All checks in their order: the loss has to fall on one batch, and everything is left as it was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from seqlab.contracts.check import check_everything
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network, StepOutput
from tests.conftest import MODELS, TASKS, tiny_config, tiny_task


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("factor", [0.0, -1.0])
def test_a_network_whose_gradients_lead_nowhere_is_caught(
    task: str, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config("rnn", task)
    made = tiny_task(config)
    build = made.build_network

    def mislead(_: object, __: object, output: StepOutput) -> StepOutput:
        """The same loss, with another gradient."""
        loss = output.loss_sum
        return replace(output, loss_sum=(1 - factor) * loss.detach() + factor * loss)

    def misled(model: ModelConfig) -> Network[Any]:
        network = build(model)
        network.register_forward_hook(mislead)
        return network

    monkeypatch.setattr(made, "build_network", misled)
    failed = [result for result in check_everything(made, config.model, "model=rnn") if result.failure]
    assert [result.contract for result in failed] == ["the loss falls on one batch"]
    assert "10 steps on one batch change its loss from" in failed[0].failure


@pytest.mark.parametrize("model", MODELS)
def test_a_wide_network_learns(model: str) -> None:
    config = tiny_config(model, TASKS[0], "model.width=512")
    assert [result for result in check_everything(tiny_task(config), config.model, model) if result.failure] == []


def test_it_computes_with_one_thread_and_gives_the_others_back() -> None:
    config = tiny_config("rnn", TASKS[0])
    task, before = tiny_task(config), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert {torch.get_num_threads() for _ in check_everything(task, config.model, "model=rnn")} == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
