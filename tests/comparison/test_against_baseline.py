"""Models against the best baseline: paired by test items, and careful about what seeds cannot show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from seqlab.comparison.against_baseline import AgainstBaseline, against_baseline
from seqlab.comparison.design import Sample
from seqlab.comparison.verdict import baseline_verdict
from seqlab.core.baseline import Baseline
from seqlab.core.items import Floats
from seqlab.core.metric import Metric

ERROR = Metric(0.0, "", higher_is_better=False, lowest=0.0)
DRAWS = 2000
Items = Sequence[float] | Floats


def _baseline(items: Items, name: str = "last week", metric: Metric = ERROR, *, known: bool = True) -> Baseline:
    value = Metric(float(np.mean(items)), "", metric.higher_is_better)
    return Baseline(name, "", {"error": value}, tuple(map(float, items)) if known else ())


def _sample(runs: Sequence[Items], *, known: bool = True) -> Sample:
    values = {seed: float(np.mean(items)) for seed, items in enumerate(runs)}
    return Sample(values, {seed: tuple(map(float, items)) for seed, items in enumerate(runs)} if known else {})


def _found(samples: dict[str, Sample], *baselines: Baseline, metric: Metric = ERROR) -> AgainstBaseline:
    found = against_baseline(samples, baselines, "error", metric, draws=DRAWS)
    assert found is not None
    return found


def test_what_makes_an_item_hard_for_both_is_taken_out() -> None:
    """The items differ by far more than the models do; with the baseline's items, the difference is certain."""
    rng = np.random.default_rng(0)
    hard_N = 10 * rng.random(60)
    runs = [hard_N - 0.2 + 0.05 * rng.standard_normal(60) for _ in range(4)]
    (paired,) = _found({"gru": _sample(runs)}, _baseline(hard_N)).gains
    assert paired.items == 60
    assert paired.better
    assert paired.interval is not None
    assert paired.interval[0] < 0.2 < paired.interval[1]
    assert paired.interval[1] - paired.interval[0] < 0.1
    (over_seeds,) = _found({"gru": _sample(runs)}, _baseline(hard_N, known=False)).gains
    assert over_seeds.items is None
    assert over_seeds.mean == pytest.approx(paired.mean)


@pytest.mark.parametrize("seeds", [2, 5])
def test_a_model_that_is_as_good_as_the_baseline_is_seldom_called_better(seeds: int) -> None:
    """At most one in forty by chance, on the better side of a 95 % interval; up to 8 of 150 are within the error."""
    rng, better = np.random.default_rng(1), 0
    for _ in range(150):
        hard_N, model_N = rng.random(30), 0.3 * rng.standard_normal(30)
        runs = [hard_N + model_N + 0.2 * rng.standard_normal(30) + 0.05 * rng.standard_normal() for _ in range(seeds)]
        (gain,) = _found({"gru": _sample(runs)}, _baseline(hard_N)).gains
        better += gain.better
    assert better <= 8


def test_the_best_baseline_is_the_one_to_beat_whatever_the_direction() -> None:
    share = Metric(0.0, "", higher_is_better=True, lowest=0.0, highest=1.0)
    samples = {"gru": _sample([[0.8, 0.8], [0.82, 0.81]], known=False)}
    weak, strong = (_baseline([value] * 2, name, share) for name, value in (("majority", 0.5), ("nearest", 0.9)))
    found = _found(samples, weak, strong, metric=share)
    assert (found.name, found.value) == ("nearest", 0.9)
    assert found.gains[0].mean == pytest.approx(-0.0925)
    assert against_baseline(samples, [], "error", share) is None
    assert against_baseline({}, [weak], "error", share) is None


def test_the_sentence_says_which_models_are_better_or_that_none_is() -> None:
    hard_N = np.linspace(1, 2, 20)
    good = _sample([hard_N - 0.3, hard_N - 0.31])
    bad = _sample([hard_N + 0.3, hard_N + 0.31])
    base = _baseline(hard_N)
    both = baseline_verdict(_found({"rnn": bad, "gru": good}, base), "error")
    assert both.startswith("better than last week, which needs no network (1.500 error): gru, 0.305 better, 95 % CI")
    assert both.endswith("; 1 not, over training seeds and test items (n = 2 seeds x 20 items, each model by itself)")
    none = baseline_verdict(_found({"rnn": bad}, base), "error")
    assert none.startswith(
        "no model is better than last week, which needs no network (1.500 error); the nearest is rnn, "
    )
    assert "0.305 worse" in none
    one = baseline_verdict(_found({"gru": _sample([hard_N - 0.3])}, base), "error")
    unsure = _sample([hard_N - 0.3, hard_N + 0.2])
    assert baseline_verdict(_found({"gru": unsure}, base), "error").startswith("no model is significantly better than")
    assert one.endswith("the nearest is gru, 0.300 better: a single seed allows no test")
