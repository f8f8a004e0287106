"""The search behind configs/tuned: the same for every family, on validation alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields

import pytest

from benchmarks.tuning import halving
from benchmarks.tuning.space import BODY, LEARNING_RATE, draws, model_at
from seqlab.comparison.sizes import sizes_of
from seqlab.interfaces import Batch, Split
from seqlab.tasks.char_lm import CharLM
from tests.conftest import MODELS, TASKS, tiny_config, tiny_overrides, tiny_task


def test_a_longer_search_begins_with_a_shorter_one() -> None:
    assert draws(24, 0)[:16] == draws(16, 0) != draws(16, 1)


@pytest.mark.parametrize("seed", range(5))
def test_no_value_has_better_luck_than_another(seed: int) -> None:
    """Learning rates cover their range evenly, and so they do at every depth."""
    low, high = LEARNING_RATE

    def place(rate: float, parts: int) -> int:
        return min(int(parts * math.log(rate / low) / math.log(high / low)), parts - 1)

    found = draws(16, seed)
    assert max(Counter(place(draw.learning_rate, 16) for draw in found).values()) <= 2  # rates are rounded
    quarters = Counter((draw.layers, place(draw.learning_rate, 4)) for draw in found)
    assert len(quarters) == 16
    assert set(Counter(draw.warmup_steps for draw in found).values()) == {4}
    assert min(Counter(draw.dropout for draw in found).values()) >= 2


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("model", MODELS)
def test_every_family_has_the_same_budget(model: str, task: str) -> None:
    """Never more than it, and in sum not much less, whatever the depth."""
    config = tiny_config(model, task)
    for draw in draws(8, 0):
        at = model_at(draw, config.model, tiny_task(config))
        assert 0.7 * BODY < sizes_of(tiny_task(config), at).body <= BODY
        if "layers" in {field.name for field in fields(at)}:
            assert vars(at)["layers"] == draw.layers


def test_a_search_reads_no_test_split_and_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    batches = CharLM.batches

    def spy(self: CharLM, split: Split, seed: int) -> Iterator[Batch]:
        read.add(split)
        return batches(self, split, seed)

    monkeypatch.setattr(CharLM, "batches", spy)
    monkeypatch.setattr("benchmarks.tuning.space.BODY", 3_000)
    monkeypatch.setattr(halving, "RUNGS", ((0.25, 2), (0.5, 1), (1.0, 1)))
    extra = tuple(word for word in tiny_overrides("rnn", "char_lm")[2:] if not word.startswith("model."))
    extra = (*(word for word in extra if "max_steps" not in word), "trainer.max_steps=8")
    found = halving.search("rnn", "char_lm", 4, 0, extra)
    assert read == {"train", "validation"}
    assert sorted(trial["steps"] for trial in found["trials"]) == [2, 2, 4, 8]
    done = [trial for trial in found["trials"] if trial["steps"] == 8]
    assert found["chosen"] == done[0]
    half = {trial["validation"]["loss"] for trial in found["trials"] if trial["steps"] == 2}
    assert all(loss > found["chosen"]["validation"]["loss"] for loss in half)
