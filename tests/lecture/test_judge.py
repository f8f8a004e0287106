"""Verdicts on claims: which figures make one hold, not hold, or not be told."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.comparison.statistics import Difference
from seqlab.lecture.claim import Evidence
from seqlab.lecture.judge import Judged, judge, judge_pair, together, unmeasured


def _evidence(expect: str = "more", factor: float = 1.0, margin: float = 0.0, than: str | float = "b") -> Evidence:
    return Evidence(says="", experiment="e", figure="f", of="a", than=than, expect=expect, factor=factor, margin=margin)  # type: ignore[arg-type]


def _judge(evidence: Evidence, of: list[float], than: list[float] | float, *, exact: bool = False) -> Judged:
    others = than if isinstance(than, float) else dict(enumerate(than))
    return judge(evidence, dict(enumerate(of)), others, exact=exact)


def test_what_lies_clearly_on_one_side_is_decided() -> None:
    found = _judge(_evidence(), [10.0, 11.0, 10.5], [1.0, 1.1, 1.0])
    assert found.finding == "holds"
    assert _judge(_evidence("less"), [10.0, 11.0, 10.5], [1.0, 1.1, 1.0]).finding == "does not hold"


def test_what_varies_as_much_as_it_differs_is_not() -> None:
    assert _judge(_evidence(), [1.0, 2.0, 3.0], [2.0, 1.0, 2.5]).finding == "cannot be told"


def test_one_run_tells_nothing_unless_it_is_counted() -> None:
    assert _judge(_evidence(), [10.0], [1.0]).finding == "cannot be told"
    assert _judge(_evidence(), [10.0], [1.0], exact=True).finding == "holds"
    assert _judge(_evidence("less"), [10.0], [1.0], exact=True).finding == "does not hold"


def test_runs_are_paired_by_seed() -> None:
    """Seeds differ by far more than the models: only the pairs show it."""
    of, than = [1.0, 10.0, 100.0, 1000.0], [0.8, 8.1, 79.0, 810.0]
    assert _judge(_evidence(), of, than).finding == "holds"
    assert judge(_evidence(), {0: 2.0, 1: 2.0}, {2: 1.0, 3: 1.0}, exact=False).finding == "cannot be told"


def test_a_factor_asks_for_more_than_being_ahead() -> None:
    of, than = [2.0, 2.1, 1.9, 2.0], [1.0, 1.0, 1.0, 1.0]
    assert _judge(_evidence(factor=1.5), of, than).finding == "holds"
    assert _judge(_evidence(factor=3.0), of, than).finding == "does not hold"
    assert "times as much" in _judge(_evidence(factor=1.5), of, than).why


def test_a_margin_forgives_a_little() -> None:
    of, than = [0.90, 0.91, 0.905], [0.91, 0.92, 0.914]
    assert _judge(_evidence(), of, than).finding == "does not hold"
    assert _judge(_evidence(margin=0.05), of, than).finding == "holds"


def test_a_lag_that_is_never_reached_is_beyond_every_other() -> None:
    inf = math.inf
    assert _judge(_evidence(), [inf, inf, inf], [9.0, 10.0, 11.0]).finding == "holds"
    assert _judge(_evidence("less"), [9.0, 10.0, 11.0], [inf, inf, inf]).finding == "holds"
    assert _judge(_evidence(), [inf, 5.0, inf], [9.0, 10.0, 11.0]).finding == "cannot be told"
    assert _judge(_evidence(), [inf, inf], [inf, inf]).finding == "cannot be told"


def test_a_threshold_stands_in_place_of_a_model() -> None:
    assert _judge(_evidence(than=0.693, expect="less"), [0.2, 0.21, 0.19], 0.693).finding == "holds"
    assert _judge(_evidence(than=0.5), [1.0, 1.0, 1.0], 0.5).finding == "holds"  # every run diverged
    assert _judge(_evidence(than=0.5), [1.0, 0.0, 1.0], 0.5).finding == "cannot be told"


@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize("first", ["a", "b"])
@pytest.mark.parametrize("expect", ["more", "less"])
def test_the_comparison_s_own_verdict_is_turned_the_right_way(expect: str, first: str, higher_is_better: bool) -> None:
    """`first` is better by 0.3, whichever way the metric points."""
    second = "b" if first == "a" else "a"
    pair = Difference(first, second, (3, 3), None, 3, 3, 0, 0.3, (0.1, 0.5), 0.01, 0.01)
    found = judge_pair(_evidence(expect), pair, {0: 0.0}, {0: 0.0}, higher_is_better=higher_is_better)
    a_is_better = first == "a"
    a_has_more = a_is_better == higher_is_better
    assert found.finding == ("holds" if a_has_more == (expect == "more") else "does not hold")


def test_a_claim_needs_all_its_evidence() -> None:
    holds = _judge(_evidence(), [10.0, 11.0, 10.5], [1.0, 1.1, 1.0])
    fails = _judge(_evidence("less"), [10.0, 11.0, 10.5], [1.0, 1.1, 1.0])
    open_ = unmeasured(_evidence(), "every run failed")
    assert together([holds, holds]) == "holds"
    assert together([holds, open_]) == "cannot be told"
    assert together([holds, open_, fails]) == "does not hold"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=6), st.floats(0.2, 5), st.integers(0, 9))
def test_both_directions_cannot_be_right(of: list[float], factor: float, seed: int) -> None:
    than = (np.random.default_rng(seed).uniform(0.1, 100, len(of))).tolist()
    more, less = (_judge(_evidence(expect, factor), of, than).finding for expect in ("more", "less"))
    opposite = {"holds": "does not hold", "does not hold": "holds", "cannot be told": "cannot be told"}
    assert less == opposite[more]


def test_words_say_what_was_asked_and_what_each_seed_found() -> None:
    ratio = _judge(_evidence("less", factor=0.5), [2.0, 4.0, 8.0], [10.0, 20.0, 40.0]).why
    assert ratio == "a: 4 · b: 20; asked for: less than 0.5 times as much as b; all agree (3 seeds: 2, 4, 8)"
    found = _judge(_evidence("less", factor=0.5), [2.0, 4.0, 8.0], [10.0, 20.0, 44.0]).why
    told = "a: 4 · b: 20.65; asked for: less than 0.5 times as much as b; "
    assert found.startswith(f"{told}0.1937 times as much (95 %: ")
    assert found.endswith(", 3 seeds: 2, 4, 8)")
    number = _judge(_evidence(factor=2, than=1.5), [5.0, 6.0, 7.0], 1.5).why
    assert number.startswith("a: 5.9439; asked for: more than 3; 1.9813 times that (95 %: ")
    less = _judge(_evidence("less", margin=0.5), [0.2, 0.1, 0.3], [1.0, 1.1, 0.9]).why
    assert "asked for: at most 0.5000 more than b; 0.8000 less (95 %: " in less
    assert " less, 3 seeds: " in less
    crossing = _judge(_evidence(margin=0.1), [1.0, 2.0, 3.0], [2.0, 1.0, 2.5]).why
    assert "asked for: at most 0.1000 less than b; " in crossing
    assert " less to " in crossing
    bound = _judge(_evidence("less", margin=0.5, than=1.0), [0.2, 0.1, 0.3], 1.0).why
    assert "asked for: less than 1.5000; " in bound
