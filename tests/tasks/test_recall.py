"""Associative recall: its targets by a decoder in plain Python, and where its queries stand."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.data.batches import UNSCORED
from seqlab.errors import ConfigError
from seqlab.tasks.recall import Recall
from tests.conftest import tiny_config


def recall(*overrides: str) -> Recall:
    task = tiny_config("gru", "recall", *overrides).task.build()
    assert isinstance(task, Recall)
    return task


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(0, 4), st.integers(0, 25), st.integers(0, 30), st.integers(0, 9))
def test_targets_follow_from_what_is_read(pairs: int, fewer: int, more: int, kinds: int, seed: int) -> None:
    queries = max(1, pairs - fewer)
    task = recall(
        f"task.pairs={pairs}", f"task.queries={queries}", f"task.length={2 * (pairs + queries) + more}",
        f"task.vocabulary={max(3, 2 * pairs + kinds)}", f"task.data_seed={seed}",
    )  # fmt: skip
    for batch in task.batches("test", 0):
        for inputs, targets in zip(batch.inputs_BT.tolist(), batch.targets_BT.tolist(), strict=True):
            read = [task.tokens.tokens[token] for token in inputs]
            keys, values = read[0 : 2 * pairs : 2], read[1 : 2 * pairs : 2]
            assert len(set(keys)) == len(set(values)) == pairs
            assert all(key.startswith("k") for key in keys)
            assert all(value.startswith("v") for value in values)
            value_of = dict(zip(keys, values, strict=True))
            scored = {place for place, target in enumerate(targets) if target != UNSCORED}
            # asked for is each key that comes again, and it comes again once
            assert scored == {place for place in range(2 * pairs, len(read)) if read[place] in value_of}
            assert len(scored) == len({read[place] for place in scored}) == queries
            assert all(place % 2 == 0 for place in scored)
            for place in scored:
                assert task.tokens.tokens[targets[place]] == value_of[read[place]]


def test_queries_follow_the_power_law_and_ask_for_every_pair() -> None:
    """With one query, the k-th place has probability k^(a-1), normalised."""
    for power in (0.01, 1.0):
        task = recall(
            "task.pairs=3", "task.queries=1", "task.length=20", "task.test_size=20000", f"task.gap_power={power}"
        )
        places: Counter[int] = Counter()
        pairs: Counter[int] = Counter()
        for batch in task.batches("test", 0):
            row_N, place_N = (batch.targets_BT != UNSCORED).nonzero(as_tuple=True)
            places.update(((place_N - 6) // 2).tolist())
            keys = batch.inputs_BT[row_N, :6:2] == batch.inputs_BT[row_N, place_N, None]
            pairs.update(keys.int().argmax(1).tolist())
        weights = [k ** (power - 1) for k in range(1, 8)]
        for place, weight in enumerate(weights):
            share = weight / sum(weights)
            assert places[place] / 20_000 == pytest.approx(share, abs=4.5 * math.sqrt(share * (1 - share) / 20_000))
        for pair in range(3):
            assert pairs[pair] / 20_000 == pytest.approx(1 / 3, abs=4.5 * math.sqrt(2 / 9 / 20_000))


def test_a_power_whose_weights_overflow_still_orders_the_places() -> None:
    task = recall("task.pairs=3", "task.queries=2", "task.length=60", "task.gap_power=4000")
    for batch in task.batches("test", 0):
        assert (batch.targets_BT != UNSCORED).nonzero()[:, 1].view(-1, 2).tolist() == [[56, 58]] * batch.size


@pytest.mark.parametrize(
    ("override", "told", "remedy"),
    [
        ("task.length=15", "task.length=15 is too short for task.pairs=4 and 4 queries", "try 16 or more"),
        ("task.queries=5", "task.queries=5 is more than task.pairs=4", "try task.queries=4"),
        ("task.pairs=1 task.vocabulary=2", "task.vocabulary=2 has one value", "try task.vocabulary=3"),
        ("task.vocabulary=7", "task.vocabulary=7 has 3 keys, fewer than task.pairs=4", "try task.vocabulary=8"),
    ],
)
def test_settings_that_do_not_fit_are_refused(override: str, told: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as refused:
        tiny_config("gru", "recall", *override.split())
    assert told in refused.value.what
    assert remedy in refused.value.hint


def test_a_shorter_sequence_may_be_written_by_hand() -> None:
    task = recall()
    whole, places = task.parse("k1 v3 k7 v0 v5 k7 k2 k1".split())
    assert len(whole) == 8
    assert list(places) == [5, 7]
