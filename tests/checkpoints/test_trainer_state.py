"""A checkpoint holds everything needed, and is checked before anything is changed."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.checkpoints.saving import load_checkpoint, save_checkpoint
from seqlab.checkpoints.trainer_state import Parts, capture, restore
from seqlab.errors import CheckpointError
from seqlab.runs.verify import replay
from seqlab.training.seeds import random_states, seed_global_generators, set_random_states
from seqlab.training.trainer import Trainer
from tests.training.test_trainer import make_trainer


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """A checkpoint in the middle of an interval, with a carried state and moments."""
    folder = tmp_path_factory.mktemp("saved")
    trainer = make_trainer("lstm", "char_lm", "trainer.log_every_steps=3")
    replay(trainer, 2, evaluated=True)
    save_checkpoint(trainer, folder)
    return load_checkpoint(folder / "step-00000002")


def test_all_random_generators_are_restored() -> None:
    def draw() -> tuple[Any, ...]:
        return (torch.rand(3).tolist(), random.random(), random.gauss(0, 1), np.random.randn(), np.random.rand())

    seed_global_generators(1, "dropout")
    draw()  # so that half a pair of normal numbers is in store
    tensors, rest = random_states("cpu")
    expected = draw()
    seed_global_generators(2, "dropout")
    assert draw() != expected
    set_random_states("cpu", tensors, rest)
    assert draw() == expected


def test_a_checkpoint_holds_all_that_the_next_step_depends_on(saved: Parts) -> None:
    tensors, state = saved
    kinds = {name.partition(".")[0] for name in tensors}
    assert kinds == {"network", "optimizer", "carried", "random"}
    assert state["progress"]["step"] == state["progress"]["windows"] == state["progress"]["evaluated_step"] == 2
    assert len(state["interval"]["gradient_norms"]) == 2
    trainer = make_trainer("lstm", "char_lm", "trainer.log_every_steps=3")
    restore(trainer, copy.deepcopy(saved), "saved")
    again = capture(trainer)
    assert all(torch.equal(again[0][name], tensor) for name, tensor in tensors.items())
    assert again[1]["interval"] == state["interval"]
    assert json.loads(json.dumps(again[1]["progress"])) == state["progress"]  # JSON has lists for tuples


def test_what_does_not_fit_is_refused_before_anything_is_touched(saved: Parts) -> None:
    other = make_trainer("lstm", "char_lm", "model.width=8")
    before = capture(other)
    with pytest.raises(CheckpointError, match="do not fit"):
        restore(other, copy.deepcopy(saved), "saved")
    after = capture(other)
    assert all(torch.equal(after[0][name], tensor) for name, tensor in before[0].items())
    assert after[1] == before[1]


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a tree."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(pairs):
        yield node, key
        yield from _places(value)


@pytest.fixture(scope="module")
def trainer() -> Trainer[Any]:
    return make_trainer("lstm", "char_lm", "trainer.log_every_steps=3")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_state_is_restored_or_refused(data: st.DataObject, saved: Parts, trainer: Trainer[Any]) -> None:
    """Whatever JSON is in any place, and whatever tensor under any name: no other error is raised."""
    tensors, state = copy.deepcopy(saved)
    window = next(iter(trainer.task.batches("train", 0)))
    if data.draw(st.booleans()):
        holder, key = data.draw(st.sampled_from(list(_places(state))))
        holder[key] = data.draw(_values)
    else:
        name = data.draw(st.sampled_from(sorted(tensors)))
        shape = data.draw(st.lists(st.integers(0, 3), max_size=3))
        kind = data.draw(st.sampled_from([torch.float32, torch.int64, torch.uint8, torch.bool, torch.bfloat16]))
        tensors[name] = torch.zeros(shape, dtype=kind)
    generator = random.getstate()  # hypothesis draws from it as well
    try:
        with suppress(CheckpointError):
            restore(trainer, (tensors, state), "fuzzed")
            trainer.step([window])  # training continues from it
    finally:
        random.setstate(generator)


def test_the_error_of_a_full_disk_names_the_space_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seqlab.checkpoints import saving
    from seqlab.errors import ResourceError

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "write_checkpoint", full)
    trainer = make_trainer("lstm", "char_lm", folder=tmp_path)
    with pytest.raises(ResourceError, match=r"cannot save step 2, which needs 0\.\d+ MB: No space left"):
        trainer.fit()
