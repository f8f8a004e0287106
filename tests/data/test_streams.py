"""Streams of a text against a reading of it by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.data import streams
from seqlab.data.batches import UNSCORED
from seqlab.data.streams import training_streams
from seqlab.data.token_ids import TokenIds
from seqlab.data.vocabulary import PAD


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(2, 300), rows=st.integers(1, 9), window=st.integers(1, 20), seed=st.integers(0, 5),
    at_once=st.sampled_from([1, 50, 65_536]),
)  # fmt: skip
def test_a_batch_is_the_next_window_of_each_stream(
    length: int, rows: int, window: int, seed: int, at_once: int
) -> None:
    """Also where several are read at once, and where the last ones are shorter."""
    text = 5 + np.random.default_rng(seed).permutation(length)
    rows = min(rows, length // window)
    if not rows:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_READ_AT_ONCE", at_once)
        batches = list(training_streams(TokenIds(text.astype(np.uint16)), rows, window, seed))
    assert [batch.continues for batch in batches] == [False] + [True] * (len(batches) - 1)
    each = math.ceil(length / rows)
    assert [batch.inputs_BT.shape[1] for batch in batches[:-1]] == [window] * (len(batches) - 1)
    read = np.concatenate([batch.inputs_BT.numpy() for batch in batches], 1)
    targets = np.concatenate([batch.targets_BT.numpy() for batch in batches], 1)
    assert read.shape == targets.shape == (rows, each)
    assert [batch.target_count for batch in batches] == [int((b.targets_BT != UNSCORED).sum()) for b in batches]
    flat, after = read.ravel(), targets.ravel()
    there = np.arange(rows * each) < length
    start = next(at for at in range(length) if np.array_equal(np.roll(text, -at), flat[there]))
    assert (flat[~there] == PAD).all()
    assert (after[~there] == UNSCORED).all()
    places = (start + np.arange(length)) % length
    expected = np.where(places < length - 1, text[(places + 1) % length], UNSCORED)
    assert np.array_equal(after[there], expected)
