"""The statistics against known truths. The larger simulation is benchmarks/false_positives.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from seqlab.comparison.statistics import compare_all, compare_pair, holm, mean_interval, verdict

values = st.floats(-1e3, 1e3, allow_nan=False)


def test_mean_interval_is_students() -> None:
    low, high = mean_interval([1.0, 2.0, 3.0]) or (0, 0)
    # t(0.975, 2) = 4.30265, standard error 1 / sqrt(3)
    half = 4.30265 / math.sqrt(3)
    assert [low, high] == pytest.approx([2 - half, 2 + half], rel=1e-5)
    assert mean_interval([1.0]) is None


@given(st.lists(st.tuples(values, values), min_size=2, max_size=8), st.booleans())
def test_a_pair_is_scipys_paired_t_and_the_better_comes_first(pairs: list[tuple[float, float]], higher: bool) -> None:
    a, b = ({seed: pair[side] for seed, pair in enumerate(pairs)} for side in (0, 1))
    found = compare_pair("a", "b", a, b, higher_is_better=higher)
    assert found.mean >= 0
    better, worse = (a, b) if found.first == "a" else (b, a)
    gains = [(better[s] - worse[s]) * (1 if higher else -1) for s in a]
    assert found.mean == pytest.approx(np.mean(gains), abs=1e-9)
    assert found.won == sum(gain > 0 for gain in gains)
    if found.interval is not None:
        assert found.interval[0] <= found.mean <= found.interval[1]
        expected = ttest_rel(list(better.values()), list(worse.values()))
        assert found.p == pytest.approx(expected.pvalue, rel=1e-6)


def test_pairs_are_by_seed_and_only_where_both_have_one() -> None:
    found = compare_pair("a", "b", {0: 1.0, 1: 5.0, 2: 9.0}, {1: 4.0, 2: 8.5, 7: 0.0}, higher_is_better=True)
    assert (found.seeds, found.won, found.mean) == (2, 2, 0.75)


def test_holm_against_the_example_of_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_raises_the_smallest_p_by_the_number_of_pairs_and_keeps_the_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= c <= 1.0 for p, c in zip(p_values, corrected, strict=True))
    if p_values:
        assert min(corrected) == pytest.approx(min(1.0, min(p_values) * len(p_values)))
        assert corrected[p_values.index(max(p_values))] == max(corrected)


def test_one_seed_has_no_winner() -> None:
    (pair,) = compare_all({"a": {0: 1.0}, "b": {0: 2.0}}, higher_is_better=False)
    assert not pair.significant
    assert "shows nothing about others" in verdict(pair, "bits/char", 1)


def test_verdicts_say_what_was_found() -> None:
    first, second = {s: 2.0 + 0.01 * s for s in range(5)}, {s: 2.21 + 0.012 * s for s in range(5)}
    (pair,) = compare_all({"rnn": second, "transformer": first}, higher_is_better=False)
    text = verdict(pair, "bits/char", 1)
    assert text.startswith("transformer is better than rnn by 0.214 bits/char (95 % 0.21")
    assert text.endswith("5 of 5 seeds)")
    noise = compare_all({"a": {0: 1.0, 1: 2.0, 2: 1.5}, "b": {0: 1.1, 1: 1.8, 2: 1.6}}, higher_is_better=True)[0]
    assert "no difference that 3 seeds can show" in verdict(noise, "", 1)
    apart = compare_pair("a", "b", {0: 1.0}, {1: 1.0}, higher_is_better=True)
    assert "no seed in common" in verdict(apart, "", 1)


def test_a_pair_that_only_correction_stops_says_so() -> None:
    a = {0: 1.0, 1: 1.1, 2: 1.05}
    b = {0: 0.8, 1: 0.95, 2: 0.8}
    alone = compare_all({"a": a, "b": b}, higher_is_better=True)[0]
    assert alone.significant
    crowd = compare_all({"a": a, "b": b, "c": {0: 0.9, 1: 0.9, 2: 1.3}, "d": dict(a)}, higher_is_better=True)
    same = next(pair for pair in crowd if {pair.first, pair.second} == {"a", "b"})
    assert not same.significant
    assert "among 6 pairs it does not" in verdict(same, "", 6)


def test_equal_differences_are_no_proof() -> None:
    """0.999 against 0.998 in three seeds: t would be infinite, and prove anything."""
    pair = compare_all(
        {"a": dict.fromkeys(range(3), 0.999), "b": dict.fromkeys(range(3), 0.998)}, higher_is_better=True
    )[0]
    assert pair.interval is None
    assert not pair.significant
    same = compare_all({"a": {0: 1.0, 1: 1.0}, "b": {0: 1.0, 1: 1.0}}, higher_is_better=True)[0]
    assert not same.significant
    assert "the same in all 2 seeds" in verdict(same, "", 1)


def test_identical_models_are_rarely_told_apart_and_different_ones_mostly() -> None:
    rng = np.random.default_rng(0)

    def found(gap: float) -> float:
        hits = 0
        for _ in range(300):
            draws = rng.normal(size=(2, 5)) + np.array([[0.0], [gap]])
            tables = {name: dict(enumerate(row.tolist())) for name, row in zip("ab", draws, strict=True)}
            hits += compare_all(tables, higher_is_better=True)[0].significant
        return hits / 300

    # 300 draws of a 5 % chance are below 9 % in 99.8 of 100 series
    assert found(0.0) < 0.09
    assert found(3.0) >= 0.9
