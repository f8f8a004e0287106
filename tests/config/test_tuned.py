"""The search behind configs/tuned: the same for every family, on validation alone."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tuning import search as searching
from benchmarks.tuning.__main__ import RESULTS, TOP
from benchmarks.tuning.configs import file_name, tuned_yaml
from benchmarks.tuning.space import (
    BODY,
    DROPOUT,
    FIRST,
    LAYERS,
    LEARNING_RATE,
    WARMUP_STEPS,
    Draw,
    model_at,
    near,
)
from seqlab.comparison.sizes import sizes_of
from seqlab.config.run import load_run_config
from seqlab.core.batch import Batch, Split
from seqlab.tasks.char_lm import CharLM
from tests.conftest import PAIRS, tiny_config, tiny_overrides, tiny_task


def test_the_first_trials_cover_the_space_evenly() -> None:
    low, high = LEARNING_RATE
    places = [int(8 * math.log(draw.learning_rate / low) / math.log(high / low)) for draw in FIRST]
    assert sorted(places) == list(range(8))
    met = Counter((draw.dropout, draw.warmup_steps, place < 4) for draw, place in zip(FIRST, places, strict=True))
    assert len(met) == 8
    for draw in FIRST:
        assert draw.layers in LAYERS
        assert draw.dropout in DROPOUT
        assert draw.warmup_steps in WARMUP_STEPS


@given(
    rate=st.floats(*LEARNING_RATE), layers=st.sampled_from(LAYERS), dropout=st.sampled_from(DROPOUT),
    warmup=st.sampled_from(WARMUP_STEPS), seed=st.integers(0, 99),
)  # fmt: skip
def test_near_draws_neighbours_within_the_space(
    rate: float, layers: int, dropout: float, warmup: int, seed: int
) -> None:
    best = Draw(rate, layers, dropout, warmup)
    for draw in near([best, best], 4, random.Random(seed)):
        assert LEARNING_RATE[0] <= draw.learning_rate <= LEARNING_RATE[1]
        assert 0.49 <= draw.learning_rate / rate <= 2.05  # rates are rounded
        assert abs(LAYERS.index(draw.layers) - LAYERS.index(layers)) <= 1
        assert abs(DROPOUT.index(draw.dropout) - DROPOUT.index(dropout)) <= 1
        assert abs(WARMUP_STEPS.index(draw.warmup_steps) - WARMUP_STEPS.index(warmup)) <= 1


def test_configs_tuned_equals_the_results_of_the_search() -> None:
    known = json.loads(RESULTS.read_text(encoding="utf-8"))
    files = {path.name for path in (TOP / "configs" / "tuned").iterdir()}
    assert files == {file_name(found) for found in known["found"].values()}
    for found in known["found"].values():
        assert [Draw(**{f.name: trial[f.name] for f in fields(Draw)}) for trial in found["trials"]][:8] == list(FIRST)
        assert len(found["trials"]) == len(known["first"]) + sum(known["near"]) >= 16
        shipped = TOP / "configs" / "tuned" / file_name(found)
        assert shipped.read_text(encoding="utf-8") == tuned_yaml(found), "python -m benchmarks tuning --write"


@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_every_family_has_the_same_budget(model: str, task: str) -> None:
    """Never more than the budget, and on average not much less, whatever the depth: nothing else of a draw counts."""
    config = tiny_config(model, task)
    for draw in {draw.layers: draw for draw in FIRST}.values():
        at = model_at(draw, config.model, tiny_task(config))
        assert 0.7 * BODY < sizes_of(tiny_task(config), at).body <= BODY
        if "layers" in {field.name for field in fields(at)}:
            assert vars(at)["layers"] == draw.layers


def test_a_search_reads_no_test_split_and_starts_over_the_whole_space(monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    batches = CharLM.batches

    def spy(self: CharLM, split: Split, seed: int) -> Iterator[Batch]:
        read.add(split)
        return batches(self, split, seed)

    monkeypatch.setattr(CharLM, "batches", spy)
    monkeypatch.setattr("benchmarks.tuning.space.BODY", 3_000)
    monkeypatch.setattr(searching, "FIRST", FIRST[:2])
    monkeypatch.setattr(searching, "NEAR", (1, 1))
    own = ("model.", "optim.")
    extra = tuple(word for word in tiny_overrides("rnn", "char_lm")[2:] if not word.startswith(own))
    extra = (*(word for word in extra if "max_steps" not in word), "trainer.max_steps=8")
    found = searching.search("rnn", "char_lm", 0, extra)
    assert read == {"train", "validation"}
    first, *others = found["trials"]
    assert len(others) == 3
    assert first["steps"] == 8
    assert {trial["steps"] for trial in others} <= {4, 8}
    assert found["chosen"]["validation"]["loss"] == min(trial["validation"]["loss"] for trial in found["trials"])
    drawn = [Draw(*(trial[key] for key in vars(Draw(0, 0, 0, 0)))) for trial in found["trials"]]
    assert drawn[:2] == list(FIRST[:2])


def test_only_hopeless_trials_end_at_half_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worse at a half than the best so far was at a quarter."""
    monkeypatch.setattr("benchmarks.tuning.space.BODY", 3_000)
    own = ("model.", "optim.", "trainer.max_steps")
    words = [word for word in tiny_overrides("rnn", "char_lm") if not word.startswith(own)]
    base = [*words, "trainer.max_steps=8"]
    shared = load_run_config(base)
    corpus = shared.task.build()
    best, other, hopeless = (
        searching._trial(Draw(rate, 1, 0.0, 0), base, shared, corpus) for rate in (0.01, 0.009, 1e-6)
    )
    best.train(None)
    for trial in (other, hopeless):
        trial.train(best)
    assert [trial.trainer.progress.step for trial in (best, other, hopeless)] == [8, 8, 4]
    assert searching.ranked([hopeless, other, best])[-1] is hopeless
