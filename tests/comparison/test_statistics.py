"""The statistics against known truths. The larger simulation is benchmarks/calibration.py."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t, ttest_ind

from benchmarks.calibration import EQUAL, Case, shares
from seqlab.comparison.design import Sample, moderated
from seqlab.comparison.intervals import within_range
from seqlab.comparison.multiple_testing import corrected, westfall_young
from seqlab.comparison.statistics import analyse
from seqlab.comparison.verdict import correction_text, verdict
from seqlab.core.metric import Metric

SCORE = Metric(0.0, "", higher_is_better=True)
SHARE = replace(SCORE, lowest=0.0, highest=1.0)
BITS = Metric(0.0, "bits/char", higher_is_better=False, lowest=0.0)


def _seeds(*values: float) -> Sample:
    return Sample(dict(enumerate(values)))


def test_one_model_has_students_interval() -> None:
    low, high = analyse({"a": _seeds(1.0, 2.0, 3.0)}, SCORE).intervals["a"] or (0, 0)
    # t(0.975, 2) = 4.30265, standard error 1 / sqrt(3); from draws, so to some per cent
    half = 4.30265 / math.sqrt(3)
    assert [low, high] == pytest.approx([2 - half, 2 + half], abs=0.05 * half)
    assert analyse({"a": _seeds(1.0)}, SCORE).intervals == {"a": None}


@pytest.mark.parametrize(("first", "second"), [((1.0, 2.0), (4.0, 4.5)), ((0.1, 1.2), (0.9, 2.3))])
def test_two_models_with_two_seeds_share_one_variance(first: tuple[float, float], second: tuple[float, float]) -> None:
    """Student's t of two samples with a pooled variance."""
    (pair,) = analyse({"a": _seeds(*first), "b": _seeds(*second)}, SCORE).pairs
    assert pair.p == pytest.approx(ttest_ind(first, second).pvalue, abs=0.01)
    assert pair.p_corrected == pair.p
    assert pair.first == "b"


def test_a_variance_is_drawn_towards_the_mean_the_more_the_fewer_seeds_there_are() -> None:
    variance_M = np.array([1.0, 3.0])
    assert moderated(variance_M, np.array([2, 2])).tolist() == [2.0, 2.0]
    assert moderated(variance_M, np.array([3, 3])) == pytest.approx([1.6, 2.4])
    assert moderated(variance_M, np.array([100, 100])) == pytest.approx([1.0, 3.0], abs=0.02)


def test_from_two_seeds_the_larger_gap_is_never_the_less_certain_one() -> None:
    """A gap of 0.88 from a model whose two seeds lie apart, beside one of 0.76 from one whose seeds agree."""
    found = analyse(
        {"base": _seeds(2.0, 2.001), "apart": _seeds(2.92, 2.84), "close": _seeds(2.762, 2.76)}, SCORE
    ).pairs
    p = {frozenset((pair.first, pair.second)): pair.p_corrected or 0.0 for pair in found}
    assert p[frozenset(("base", "apart"))] <= p[frozenset(("base", "close"))] < 0.05


def test_items_alone_are_students_paired_t() -> None:
    """Runs that are the same whatever the seed, on ten items: what is left is the test items."""
    rng = np.random.default_rng(0)
    items = {name: rng.normal(size=10) + gap for name, gap in (("a", 0.0), ("b", 1.0))}
    samples = {
        name: Sample(dict.fromkeys(range(3), float(x.mean())), dict.fromkeys(range(3), x.tolist()))
        for name, x in items.items()
    }
    (pair,) = analyse(samples, SCORE).pairs
    gains = items["b"] - items["a"]
    size = abs(gains.mean()) / (gains.std(ddof=1) / math.sqrt(10))
    assert pair.p == pytest.approx(2 * t.sf(size, 9), abs=0.01)
    assert pair.items == 10


def test_runs_that_do_not_know_their_items_are_judged_over_seeds_and_say_so() -> None:
    rng = np.random.default_rng(0)
    samples = {
        name: Sample(
            {seed: float(rng.normal()) for seed in range(3)}, {seed: rng.normal(size=9).tolist() for seed in range(3)}
        )
        for name in "ab"
    }
    assert "over training seeds and test items" in verdict(analyse(samples, SCORE).pairs[0], "", 1)
    older = {**samples, "b": Sample(samples["b"].values)}
    found = analyse(older, SCORE)
    assert found.items is None
    assert "over training seeds, not over test items" in verdict(found.pairs[0], "", 1)
    others = {**samples, "b": Sample(samples["b"].values, {seed: rng.normal(size=8).tolist() for seed in range(3)})}
    assert analyse(others, SCORE).items is None


def test_one_seed_has_no_winner() -> None:
    """However far it is from models whose seeds agree with each other."""
    found = analyse({"a": _seeds(1.0), "b": _seeds(2.0, 2.01, 1.99), "c": _seeds(2.0, 2.02, 2.01)}, BITS)
    assert [pair.significant for pair in found.pairs if "a" in (pair.first, pair.second)] == [False, False]
    assert found.intervals["a"] is None
    text = verdict(found.pairs[0], "bits/char", 1)
    assert text.startswith("a was better than b by 1.000 bits/char, but a single seed allows no test")


def test_the_wording_of_verdicts() -> None:
    first, second = (Sample({s: start + 0.01 * s for s in range(5)}) for start in (2.0, 2.21))
    (pair,) = analyse({"rnn": second, "transformer": first}, BITS).pairs
    text = verdict(pair, "bits/char", 1)
    assert text.startswith("transformer is better than rnn by 0.210 bits/char, 95 % CI 0.1")
    assert text.endswith("over training seeds, not over test items (n = 5 seeds, p < 0.001)")
    noise = analyse({"a": _seeds(1.0, 2.0, 1.5), "b": _seeds(1.1, 1.8, 1.7), "c": _seeds(1.2, 1.6, 1.4)}, SCORE).pairs
    text = verdict(noise[0], "", 3)
    assert "b and a: no significant difference (n = 3 seeds, Westfall-Young-corrected p = " in text
    assert "): b ahead by 0.033, 95 % CI -" in text
    many = verdict(replace(pair, items=853, p_corrected=0.213), "", 6)
    assert (
        "no significant difference (n = 5 seeds x 853 items, Westfall-Young-corrected p = 0.21; significant only "
        "without correction for 6 pairs): transformer ahead by 0.210"
    ) in many


def test_equal_figures_in_all_seeds_are_no_proof() -> None:
    """0.999 against 0.998 in three seeds: t would be infinite, and prove anything."""
    near = {"a": Sample(dict.fromkeys(range(3), 0.999)), "b": Sample(dict.fromkeys(range(3), 0.998))}
    (pair,) = analyse(near, SHARE).pairs
    assert (pair.interval, pair.p, pair.significant) == (None, 0.25, False)
    assert "n = 3 seeds, p = 0.25; no variance between runs: the sign test decides, 3 of 3 seeds" in verdict(
        pair, "", 1
    )
    assert correction_text([pair]) == ""
    pairs = analyse(near | {"c": Sample(dict.fromkeys(range(3), 0.9))}, SHARE).pairs
    text = correction_text(pairs)
    assert text.startswith("corrected for 3 pairs by Westfall and Young's step-down (1993), that of sign tests by")
    assert "n = 3 seeds, Bonferroni-corrected p = 0.75; no variance" in verdict(pairs[0], "", 3)
    # with items it is one item of a thousand
    right = {"a": [0.0] + [1.0] * 999, "b": [0.0] * 2 + [1.0] * 998}
    items = {
        name: Sample(dict.fromkeys(range(3), float(np.mean(row))), dict.fromkeys(range(3), row))
        for name, row in right.items()
    }
    (pair,) = analyse(items, SHARE).pairs
    assert pair.interval is not None
    assert pair.p is not None
    assert 0.2 < pair.p < 0.5
    same = analyse({"a": near["a"], "b": near["a"]}, SHARE).pairs[0]
    assert not same.significant
    assert "the same in all 3 seeds" in verdict(same, "", 1)


def test_models_with_other_seeds_are_compared_too() -> None:
    found = analyse({"a": Sample({0: 1.0, 1: 1.1, 2: 0.9}), "b": Sample({7: 5.0, 8: 5.1})}, SCORE).pairs[0]
    assert (found.seeds, found.shared, found.significant) == ((2, 2), 0, True)
    assert "n = 2 seeds" in verdict(found, "", 1)


def test_pairs_rest_on_as_many_seeds_of_each_and_on_those_that_all_have() -> None:
    many = Sample({0: 1.0, 1: 1.2, 2: 1.4, 3: 9.0}, {seed: [seed + 0.5, 1.0] for seed in range(4)})
    few = Sample({2: 2.0, 3: 2.2}, {seed: [seed + 0.1, 1.5] for seed in (2, 3)})
    found = analyse({"many": many, "few": few}, SCORE)
    alone = analyse({"many": Sample({2: 1.4, 3: 9.0}, {s: many.items[s] for s in (2, 3)}), "few": few}, SCORE)
    assert found.pairs == alone.pairs
    assert found.pairs[0].seeds == (2, 2)
    low, high = found.intervals["many"] or (0.0, 0.0)
    assert low < np.mean([1.0, 1.2, 1.4, 9.0]) < high  # of all four
    assert moderated(np.array([1.0, 25.0]), np.array([10, 2])).tolist() == [1.0, 25.0]


def test_unequal_numbers_of_seeds_do_not_hide_a_large_spread() -> None:
    """Ten seeds of one, two of another whose seeds lie five times as far apart. By a variance over both, two equal
    models are called different in 35 of 100 comparisons."""
    wrong, _, _ = shares(Case(10, (1.0, 5.0), item_spread=0.1, last=2), 200, 1000)
    assert wrong <= 0.15  # with as many seeds of each 9, and three standard errors


@given(st.floats(0.0, 1.0), st.floats(0.0, 50.0))
def test_an_interval_of_a_share_stays_inside_0_and_1(mean: float, margin: float) -> None:
    low, high = within_range(mean, margin, SHARE)
    assert 0.0 <= low <= mean + 1e-12
    assert mean - 1e-12 <= high <= 1.0


def test_intervals_end_inside_the_metrics_range() -> None:
    found = analyse({"a": _seeds(0.98, 0.88), "b": _seeds(0.9, 0.2)}, SHARE)
    for interval in found.intervals.values():
        assert interval is not None
        assert 0.0 < interval[0] < interval[1] < 1.0
    assert found.pairs[0].interval is not None
    assert -1.0 <= found.pairs[0].interval[0] < found.pairs[0].interval[1] <= 1.0
    bits = analyse({"a": _seeds(1.0, 2.0)}, BITS).intervals["a"]
    assert bits is not None
    assert 0.0 < bits[0] < 1.5 < bits[1]
    # near an end the logit scale's step is too long to mean anything: two seeds of 0.98 and 1.0
    low, high = within_range(0.99, 0.127, SHARE)
    assert low == pytest.approx(0.863)
    assert 0.99 < high < 1.0
    assert within_range(1.25, 3.0, BITS)[1] == pytest.approx(4.25)
    # far from the ends it is what it always was
    assert within_range(2.0, 0.01, BITS) == pytest.approx((1.99, 2.01), abs=1e-4)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("spread", [EQUAL, (1.0, 1.0, 2.0, 2.0)], ids=["equal", "unequal"])
def test_equal_models_are_rarely_told_apart(seeds: int, spread: tuple[float, ...]) -> None:
    """Seeds and items both noisy. 200 draws of a 5 % chance are at most 10 % in 99.9 of 100 series; the paired t over
    seeds alone is far beyond."""
    wrong, _, paired = shares(Case(seeds, spread), 200, 1000)
    assert wrong <= 0.1
    assert paired > (0.1 if spread == EQUAL else 0.07)


def test_a_gap_of_three_standard_deviations_is_found() -> None:
    """In four models, from three seeds in more than 80 % and from five in more than 95 %."""
    found = {seeds: shares(Case(seeds, EQUAL, gap=3.0, item_spread=0.1), 200, 1000)[1] for seeds in (3, 5)}
    assert found[3] >= 0.74  # 0.82 less three standard errors
    assert found[5] >= 0.95


def test_step_down_compares_each_with_the_largest_of_those_left() -> None:
    """Counted by hand from four draws: (1 + draws in which the largest is as large) / 5, and never less than above."""
    drawn = {0: np.array([1.0, 2.0, 3.0, 4.0]), 1: np.array([4.0, 1.0, 1.0, 1.0]), 2: np.array([0.0, 0.0, 5.0, 0.0])}
    assert westfall_young({0: 3.5, 1: 2.5, 2: 6.0}, drawn) == {2: 1 / 5, 0: 3 / 5, 1: 3 / 5}
    # a sign test beside them: Bonferroni for it, and its bound shares the 5 % between the two kinds
    p = corrected([0.4, 0.4, 0.4, 0.125], {0: 3.5, 1: 2.5, 2: 6.0}, drawn)
    assert p == pytest.approx([4 / 5, 4 / 5, 4 / 15, 0.5])
    assert corrected([0.125, 0.5], {}, {}) == [0.25, 1.0]
