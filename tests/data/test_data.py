"""Corpora, vocabularies, batching, intervals: the small parts that everything uses."""

from __future__ import annotations

import gzip
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqlab.core.metric import Metric
from seqlab.data.batching import Rows, bucketed, pad, python_draws, split_items
from seqlab.data.corpora import find
from seqlab.data.text import read_text
from seqlab.data.vocabulary import END, PAD, SPECIALS, START, UNKNOWN, Vocabulary
from seqlab.drawing.numbers import clock, compact, sparkline
from seqlab.errors import DataError
from seqlab.metrics import bootstrap_interval
from seqlab.training.seeds import stream_seed


def test_python_docs_has_no_repeated_paragraph() -> None:
    text = find("python_docs").content("char_lm")["train"]
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    assert len(paragraphs) == len(set(paragraphs))
    assert len(text) > 200_000
    if sys.version_info[:3] == (3, 11, 7):
        assert len(text) == 373_292


def test_python_prose_is_paragraphs_of_python_docs() -> None:
    docs = {" ".join(one.split()) for one in find("python_docs").content("char_lm")["train"].split("\n\n")}
    prose = find("python_prose").content("char_lm")["train"].split("\n\n")
    assert len(prose) > 500
    assert set(prose) < docs
    assert not any("\n" in one or ">>>" in one or not one[0].isupper() for one in prose)


@given(st.lists(st.text(max_size=20), max_size=8))
def test_every_text_comes_back_from_its_ids(texts: list[str]) -> None:
    vocabulary = Vocabulary.of(texts)
    for text in texts:
        assert "".join(vocabulary.decode(vocabulary.encode(text))) == text
    assert vocabulary.tokens[:4] == SPECIALS
    assert len(set(vocabulary.tokens)) == len(vocabulary)


def test_a_vocabulary_is_ranked_cut_and_reports_unknown_tokens() -> None:
    vocabulary = Vocabulary.of([["b", "a", "b"], ["c", "a", "b", "d"]], size=7, min_count=1)
    assert vocabulary.tokens[4:] == ("b", "a", "c")
    assert vocabulary.encode(["a", "d", "?"]) == [5, UNKNOWN, UNKNOWN]
    assert vocabulary.decode([START, 4, PAD, 5, END, 6]) == ["b", "a"]
    assert Vocabulary.of([["b", "a", "b"]], min_count=2).tokens[4:] == ("b",)


LENGTHS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=200)


def _positions(batch: list[int], sizes: list[tuple[int, int]]) -> int:
    """With padding."""
    return len(batch) * sum(max(sizes[i][side] for i in batch) for side in (0, 1))


@given(sizes=LENGTHS, size=st.integers(1, 20), seed=st.one_of(st.none(), st.integers(0, 9)))
def test_every_item_is_in_one_batch(sizes: list[tuple[int, int]], size: int, seed: int | None) -> None:
    batches = bucketed(sizes, size, seed, pool=3)
    assert sorted(i for batch in batches for i in batch) == list(range(len(sizes)))
    assert all(0 < len(batch) <= size for batch in batches)
    assert batches == bucketed(sizes, size, seed, pool=3)


@given(sizes=LENGTHS, tokens=st.integers(1, 300), seed=st.one_of(st.none(), st.integers(0, 9)))
def test_batches_by_tokens_hold_every_item_once_and_no_more_than_they_may(
    sizes: list[tuple[int, int]], tokens: int, seed: int | None
) -> None:
    batches = bucketed(sizes, 1, seed, batch_tokens=tokens, pool=3)
    assert sorted(i for batch in batches for i in batch) == list(range(len(sizes)))
    assert all(len(batch) == 1 or _positions(batch, sizes) <= tokens for batch in batches)
    assert batches == bucketed(sizes, 1, seed, batch_tokens=tokens, pool=3)


def test_buckets_save_padding() -> None:
    sizes = [(1 + (i * 7919) % 50, 1 + (i * 7919) % 50) for i in range(2000)]

    def padded(batches: list[list[int]]) -> int:
        return sum(_positions(batch, sizes) for batch in batches)

    needed = sum(map(sum, sizes))
    unsorted = [list(range(start, start + 20)) for start in range(0, 2000, 20)]
    assert padded(bucketed(sizes, 20, 0)) < 1.1 * needed
    assert padded(unsorted) > 1.7 * needed
    assert bucketed(sizes, 20, 0) != bucketed(sizes, 20, 1)
    by_tokens = bucketed(sizes, 20, 0, batch_tokens=1000)
    assert padded(by_tokens) < 1.1 * needed
    assert sum(_positions(batch, sizes) > 800 for batch in by_tokens) > 0.9 * len(by_tokens)
    assert bucketed(sizes, 20, 1, batch_tokens=1000) != by_tokens


ROWS = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=9), min_size=1, max_size=9)


@given(ROWS, st.data())
def test_rows_gathered_at_once_are_those_padded_one_by_one(rows: list[list[int]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=12))
    ids_BT, valid_BT = Rows(rows).take(torch.tensor(chosen))
    assert ids_BT.tolist() == pad([rows[i] for i in chosen]).tolist()
    assert valid_BT.sum(1).tolist() == [len(rows[i]) for i in chosen]
    assert not valid_BT[ids_BT == PAD].any()


def test_vectorised_draws_equal_pythons_own() -> None:
    one_by_one, at_once = random.Random("word dropout 3"), python_draws("word dropout 3")
    for count in (1, 7, 1000):
        assert at_once.random_sample(count).tolist() == [one_by_one.random() for _ in range(count)]


@given(ROWS)
def test_padding_stands_at_the_right(rows: list[list[int]]) -> None:
    for row, ids in zip(rows, pad(rows).tolist(), strict=True):
        assert ids == row + [PAD] * (len(ids) - len(row))


@given(st.lists(st.integers(), unique=True, max_size=60), st.integers(0, 5))
def test_splits_share_nothing_and_lose_nothing(items: list[int], seed: int) -> None:
    parts = split_items(items, (0.8, 0.1, 0.1), seed)
    assert sorted(item for part in parts.values() for item in part) == sorted(items)
    assert parts == split_items(items, (0.8, 0.1, 0.1), seed)


def test_files_are_read_plain_or_compressed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("é\r\nß\U0001f600مرحبا\n".encode())
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress((tmp_path / "a.txt").read_bytes()))
    assert read_text(tmp_path / "a.txt", "k") == read_text(tmp_path / "a.txt.gz", "k") == "é\nß\U0001f600مرحبا\n"
    (tmp_path / "b.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match="cannot be read"):
        read_text(tmp_path / "b.gz", "k")


def test_bootstrap_intervals_have_the_right_coverage() -> None:
    """In 200 samples of 150 coin throws the 95 % interval holds the truth about 95 % of the time."""
    rng = np.random.default_rng(0)
    held = 0
    for index in range(200):
        throws = rng.random(150) < 0.3
        statistics = np.stack((throws, np.ones(150)), 1).astype(np.float64)
        low, high = bootstrap_interval(statistics, lambda sums: float(sums[0] / sums[1]), index, replicates=400)
        held += low <= 0.3 <= high
    assert 180 <= held <= 198
    assert bootstrap_interval(statistics, lambda s: float(s[0] / s[1]), 1) == bootstrap_interval(
        statistics, lambda s: float(s[0] / s[1]), 1
    )


def test_streams_of_a_seed_are_independent() -> None:
    seeds = {stream_seed(s, name, i) for s in range(5) for name in ("data order", "dropout") for i in range(5)}
    assert len(seeds) == 50
    assert all(0 <= seed < 2**63 for seed in seeds)
    torch.Generator().manual_seed(max(seeds))


def test_a_metric_knows_its_direction_and_never_prefers_nan() -> None:
    loss, nan = Metric(1.0, "nats", higher_is_better=False), Metric(float("nan"), "nats", higher_is_better=False)
    assert Metric(0.5, "nats", higher_is_better=False).better_than(loss)
    assert not loss.better_than(loss)
    assert loss.better_than(None)
    assert not nan.better_than(loss)
    assert not nan.better_than(None)
    assert Metric(0.9, "", higher_is_better=True).better_than(Metric(0.8, "", higher_is_better=True))


def test_figures_for_people() -> None:
    assert sparkline([1, 2, 3], 10) == "▁▅█"
    assert sparkline([2, 2], 10) == "▁▁"
    assert sparkline([], 10) == sparkline([float("nan")], 10) == ""
    assert sparkline(list(range(100)), 8) == "▁▂▃▄▅▆▇█"
    assert [clock(s) for s in (7.4, 754, 3723)] == ["0:07", "12:34", "1:02:03"]
    assert [compact(n) for n in (5, 999, 1000, 34_321, 2.5e9)] == ["5", "999", "1k", "34.3k", "2.5G"]
    assert [compact(n) for n in (9.5e17, 5.64e18, float("inf"))] == ["950P", "5.64e+18", "inf"]
