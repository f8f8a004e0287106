"""Verdicts: rules, directions, intervals, units."""

from __future__ import annotations

import math
from typing import Any

import pytest

from seqlab.comparison.intervals import Interval
from seqlab.errors import ConfigError
from seqlab.reproduction.published import Published
from seqlab.reproduction.units import check_units, converted
from seqlab.reproduction.verdict import judge, rule_text


def figure(rule: str, value: float = 2.0, **others: Any) -> Published:
    return Published(
        of="theirs", value=value, unit="nats/char", measured="the loss", where="Table 1", ours="rnn",
        rule=rule,  # type: ignore[arg-type]
        **others,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "others", "mean", "reproduced"),
    [
        ("at_most", {}, 2.0, True),
        ("at_most", {}, 1.0, True),
        ("at_most", {}, 2.001, False),
        ("at_most", {"tolerance": 0.1}, 2.1, True),  # 2.0 + 0.1 as computed
        ("at_most", {"tolerance": 0.1}, 2.11, False),
        ("at_most", {"aim": 1.5}, 1.6, False),
        ("at_least", {}, 2.0, True),
        ("at_least", {}, 3.0, True),
        ("at_least", {}, 1.999, False),
        ("at_least", {"tolerance": 0.1}, 1.9, True),
        ("at_least", {"aim": 2.5}, 2.4, False),
        ("within", {"tolerance": 0.1}, 1.9, True),
        ("within", {"tolerance": 0.1}, 2.1, True),
        ("within", {"tolerance": 0.1}, 1.89, False),
        ("within", {"tolerance": 0.1}, 2.11, False),
    ],
)
def test_a_rule_decides_by_the_mean(rule: str, others: dict[str, float], mean: float, reproduced: bool) -> None:
    found = judge(figure(rule, **others), mean, None, higher_is_better=False)
    assert found.finding == ("reproduced" if reproduced else "not reproduced")
    assert found.settled is None  # one seed says nothing about others


@pytest.mark.parametrize(
    ("mean", "higher", "said"),
    [(1.5, False, "better than published by 0.5"), (2.5, False, "worse than published by 0.5"),
     (2.5, True, "better than published by 0.5"), (1.5, True, "worse than published by 0.5"),
     (2.0, True, "equal to the published value"), (2.0, False, "equal to the published value")],
)  # fmt: skip
def test_the_direction_of_a_difference_is_that_of_the_metric(mean: float, higher: bool, said: str) -> None:
    why = judge(figure("within", tolerance=0.1), mean, None, higher_is_better=higher).why
    assert said in why


@pytest.mark.parametrize(
    ("rule", "mean", "interval", "settled"),
    [
        ("at_most", 1.8, (1.7, 1.9), True),
        ("at_most", 1.9, (1.7, 2.1), False),
        ("at_most", 2.5, (2.4, 2.6), True),
        ("at_most", 2.1, (1.9, 2.3), False),
        ("at_least", 2.5, (2.4, 2.6), True),
        ("at_least", 2.1, (1.9, 2.3), False),
        ("within", 2.0, (1.95, 2.05), True),
        ("within", 2.0, (1.8, 2.2), False),
        ("within", 2.5, (2.4, 2.6), True),
        ("within", 2.5, (1.5, 3.5), False),
    ],
)
def test_an_interval_tells_whether_other_seeds_could_change_the_finding(
    rule: str, mean: float, interval: Interval, settled: bool
) -> None:
    found = judge(figure(rule, tolerance=0.1 if rule == "within" else 0.0), mean, interval, higher_is_better=False)
    assert found.settled is settled
    assert ("the seeds do not settle it" in found.text) is not settled


def test_rules_are_told_in_words() -> None:
    assert rule_text(figure("at_most", 1.88, tolerance=0.02)) == "at most 1.88 + 0.02"
    assert rule_text(figure("at_least", 76.1, aim=77.0)) == "at least 77"
    assert rule_text(figure("within", 0.164, tolerance=0.02)) == "within 0.02 of 0.164"


@pytest.mark.parametrize(
    ("value", "unit", "into", "expected"),
    [
        (math.log(2), "nats/char", "bits/char", 1.0),
        (1.0, "bits/word", "nats/word", math.log(2)),
        (2.0, "nats/word", "perplexity/word", math.exp(2.0)),
        (8.0, "perplexity/token", "bits/token", 3.0),
        (0.761, "share", "percent", 76.1),
        (99.17, "percent", "share", 0.9917),
        (28.3, "BLEU", "BLEU", 28.3),
    ],
)
def test_figures_are_converted_by_their_named_units(value: float, unit: str, into: str, expected: float) -> None:
    check_units(into, unit)
    assert converted(value, unit, into) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("unit", "into", "said"),
    [("nats/char", "bits/word", "cannot be converted"), ("share", "BLEU", "cannot be converted"),
     ("nats", "nats", "there is no unit 'nats'"), ("nats/char", "bpc", "there is no unit 'bpc'")],
)  # fmt: skip
def test_units_of_other_quantities_are_refused(unit: str, into: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_units(into, unit)
    if unit != into:
        with pytest.raises(ConfigError, match=said):
            converted(1.0, unit, into)
