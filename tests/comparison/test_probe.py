"""What is measured before a comparison."""

from __future__ import annotations

import pytest

from seqlab.comparison.probe import _final_positions, probe
from seqlab.core.batch import HELD_OUT, positions_in
from seqlab.core.model import context_of
from seqlab.core.other_lengths import other_lengths
from seqlab.core.state_bytes import state_bytes
from seqlab.runs.setup import new_network
from seqlab.training.device import resolve_device
from tests.conftest import TASKS, has_setting, tiny_config, tiny_task

LENGTH_TASKS = tuple(task for task in TASKS if has_setting("task.eval_lengths", task=task))


@pytest.mark.parametrize("name", LENGTH_TASKS)
def test_bytes_of_state_are_known_of_networks_that_generate_nothing_too(name: str) -> None:
    config = tiny_config("gru", name, "device=cpu")
    task = tiny_task(config)
    measured = probe(config, task, resolve_device(config.device, deterministic=False))
    assert measured.state_bytes == state_bytes(new_network(config, task), task)
    assert measured.state_bytes


@pytest.mark.parametrize("name", LENGTH_TASKS)
@pytest.mark.parametrize("model", ["gru", "transformer"])
def test_the_end_of_a_run_includes_the_other_lengths_that_it_is_evaluated_at(model: str, name: str) -> None:
    config = tiny_config(model, name, "task.length=20", "task.eval_lengths=[16,40]")
    task = tiny_task(config)
    network = new_network(config, task)
    expected = sum(positions_in(task.batches(split, 0)) for split in HELD_OUT)
    for length in (16, 40) if context_of(network) is None else (16,):
        expected += positions_in(other_lengths(task).at_length(length).batches("test", 0))
    assert _final_positions(network, task) == pytest.approx(expected)
    plain = tiny_task(tiny_config(model, name))
    assert _final_positions(network, plain) == sum(positions_in(plain.batches(split, 0)) for split in HELD_OUT)
