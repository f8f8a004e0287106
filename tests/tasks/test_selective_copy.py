"""Selective copying: its targets by a decoder in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.data.batches import UNSCORED
from seqlab.errors import ConfigError, DataError
from seqlab.tasks.selective_copy import SelectiveCopy
from tests.conftest import tiny_config


def selective_copy(*overrides: str) -> SelectiveCopy:
    task = tiny_config("gru", "selective_copy", *overrides).task.build()
    assert isinstance(task, SelectiveCopy)
    return task


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(0, 30), st.integers(2, 40), st.integers(0, 9))
def test_targets_follow_from_what_is_read(tokens: int, noise: int, vocabulary: int, seed: int) -> None:
    task = selective_copy(
        f"task.length={tokens + noise}", f"task.data_tokens={tokens}", f"task.vocabulary={vocabulary}",
        f"task.data_seed={seed}",
    )  # fmt: skip
    assert len(task.tokens) == 4 + vocabulary + 2
    for batch in task.batches("test", 0):
        for inputs, targets in zip(batch.inputs_BT.tolist(), batch.targets_BT.tolist(), strict=True):
            read = [task.tokens.tokens[token] for token in inputs]
            data = [token for token in read if token not in (".", "?")]
            assert len(data) == tokens
            assert read.count(".") == noise
            assert read[-tokens:] == ["?"] * tokens
            assert targets[:-tokens] == [UNSCORED] * (tokens + noise)
            assert [task.tokens.tokens[token] for token in targets[-tokens:]] == data


def test_places_and_tokens_are_uniform() -> None:
    task = selective_copy("task.test_size=8000", "task.length=10", "task.data_tokens=3", "task.vocabulary=5")
    batches = list(task.batches("test", 0))
    inputs_BT = torch.cat([batch.inputs_BT for batch in batches])[:, :10]
    (noise,) = task.tokens.encode(["."])
    share_T = (inputs_BT != noise).double().mean(0)
    assert float((share_T - 0.3).abs().max()) < 4.5 * math.sqrt(0.3 * 0.7 / 8000)
    counts = inputs_BT[inputs_BT != noise].bincount()[4:9]
    assert float((counts - 4800).abs().max()) < 4.5 * math.sqrt(24_000 * 0.2 * 0.8)


def test_one_token_is_refused_since_it_need_not_be_read() -> None:
    with pytest.raises(ConfigError, match=r"task\.vocabulary=1 has one token") as refused:
        selective_copy("task.vocabulary=1")
    assert "try 2 or more" in refused.value.hint


def test_markers_are_not_written_by_hand() -> None:
    whole, places = selective_copy().parse(["a", ".", "b", "."])
    assert " ".join(whole) == "a . b . ? ?"
    assert list(places) == [4, 5]
    with pytest.raises(DataError, match="follows by itself"):
        selective_copy().parse(["a", "?"])
