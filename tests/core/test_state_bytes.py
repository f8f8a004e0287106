"""What a sequence keeps, in bytes, worked out by hand."""

from __future__ import annotations

import pytest

from seqlab.core.model import context_of
from seqlab.core.state_bytes import state_bytes
from seqlab.runs.setup import new_network
from tests.conftest import TASKS, has_setting, tiny_config, tiny_task

LAYERS, WIDTH, FLOAT = 2, 16, 4
STREAMS = tuple(
    task for task in TASKS if has_setting("task.window", task=task) or has_setting("task.length", task=task)
)


def _bytes(model: str, task_name: str, *overrides: str) -> int | None:
    config = tiny_config(model, task_name, *overrides)
    task = tiny_task(config)
    return state_bytes(new_network(config, task), task)


@pytest.mark.parametrize("name", STREAMS)
def test_hidden_states_and_caches(name: str) -> None:
    assert _bytes("gru", name) == LAYERS * WIDTH * FLOAT
    assert _bytes("lstm", name) == 2 * LAYERS * WIDTH * FLOAT
    config = tiny_config("transformer", name)
    task = tiny_task(config)
    network = new_network(config, task)
    positions, counter = task.longest(), 8
    assert context_of(network) == positions
    # of each layer keys and values, and the inputs
    assert state_bytes(network, task) == (2 * LAYERS + 1) * positions * WIDTH * FLOAT + counter


def test_a_source_is_kept_with_the_state_of_the_target() -> None:
    for name in (task for task in TASKS if has_setting("task.target", task=task)):
        task = tiny_task(tiny_config("gru", name))
        longest = max(batch.source_BS.shape[1] for batch in task.batches("validation", 0))
        memory = (longest + 1) * WIDTH * FLOAT + longest  # the vectors, the fixed one, and which are valid
        assert _bytes("gru", name) == memory + LAYERS * WIDTH * FLOAT


def test_what_is_read_whole_keeps_nothing() -> None:
    for name in (task for task in TASKS if has_setting("task.bidirectional", task=task)):
        assert _bytes("gru", name, "task.bidirectional=true") is None
        assert _bytes("transformer", name, "task.bidirectional=false") is None
        if not has_setting("task.pooling", task=name):
            continue
        pooled = (WIDTH + 1) * FLOAT  # and the number of positions
        assert _bytes("gru", name, "task.bidirectional=false") == LAYERS * WIDTH * FLOAT + pooled
