"""The copying problem: its targets by a decoder in plain Python."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.core.prediction import GenerationConfig
from seqlab.errors import DataError
from seqlab.tasks.copy import Copy
from tests.conftest import tiny_config, tiny_network


def copy(*overrides: str) -> Copy:
    task = tiny_config("gru", "copy", *overrides).task.build()
    assert isinstance(task, Copy)
    return task


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(0, 9))
def test_targets_follow_from_what_is_read(length: int, seed: int) -> None:
    task = copy(f"task.length={length}", f"task.data_seed={seed}")
    for batch in task.batches("test", 0):
        for inputs, targets in zip(batch.inputs_BT.tolist(), batch.targets_BT.tolist(), strict=True):
            read = [task.tokens.tokens[token] for token in inputs]
            symbols = [token for token in read if token not in "_|"]
            assert set(symbols) <= set("abcdefgh")
            assert read == [*symbols, *"_" * (length - 1), "|", *"_" * 10]
            written = [task.tokens.tokens[token] for token in targets]
            assert written == [*"_" * (length + 10), *symbols]
        assert batch.target_count == batch.size * (length + 20)


def test_the_baseline_of_the_paper() -> None:
    for length, nats in ((500, 0.0400), (1000, 0.0204)):  # the second is that of Bai 2018, table 1
        stated = copy(f"task.length={length}").chance("test").metrics["loss"]
        assert stated.value == pytest.approx(10 * math.log(8) / (length + 20))
        assert round(stated.value, 4) == nats


def test_the_gap_is_not_written_by_hand() -> None:
    task = copy("task.length=3")
    whole, places = task.parse(list("abcdefghab"))
    assert " ".join(whole) == f"a b c d e f g h a b _ _ |{10 * ' _'}"
    assert list(places) == list(range(13, 23))
    with pytest.raises(DataError, match="follows by itself"):
        task.parse(["a", "_", "|"])


@pytest.mark.parametrize("symbols", ["a b", "a b c d e f g h a b c"])
def test_there_are_as_many_symbols_as_in_training(symbols: str) -> None:
    task, network = copy("task.length=3"), tiny_network(tiny_config("gru", "copy"))
    with pytest.raises(DataError, match=f"^{len(symbols.split())} symbols: every sequence has 10") as error:
        task.predict(network, symbols, GenerationConfig())
    assert task.predict(network, error.value.hint.partition("like: ")[2], GenerationConfig()).text
