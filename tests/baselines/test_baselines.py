"""Baselines against known answers."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.baselines.bag_of_words import bag_of_words, majority
from seqlab.baselines.n_gram import WittenBell, best_n_gram, xz_bits
from seqlab.baselines.neighbours import nearest
from seqlab.baselines.ridge import ridge
from seqlab.core.baseline import BaselineSource
from tests.conftest import CORPUS_TASKS, tiny_config, tiny_task


@given(st.text("abc", min_size=2, max_size=60), st.text("abcd", max_size=6), st.integers(1, 5))
def test_an_n_gram_is_a_distribution(text: str, history: str, order: int) -> None:
    model = WittenBell(text, order)
    never = "\N{SNOWMAN}"  # stands for all that did not occur
    total = sum(model.probability(history, letter) for letter in {*text, never})
    assert total == pytest.approx(1.0)


def test_an_n_gram_by_hand() -> None:
    model = WittenBell("aab", 2)
    # order 1: two a, one b, two kinds; 3 letters with the unknown: (2 + 2/3) / 5
    after_nothing = (2 + 2 * (1 / 3)) / 5
    assert model.probability("", "a") == pytest.approx(after_nothing)
    # after a: one a, one b, two kinds
    assert model.probability("a", "a") == pytest.approx((1 + 2 * after_nothing) / 4)
    assert model.bits("a", "a")[1] == pytest.approx(-math.log2((1 + 2 * after_nothing) / 4))


def test_the_order_is_chosen_on_validation_and_a_pattern_is_found() -> None:
    rng = random.Random(0)
    words = ["spam ", "eggs ", "bacon "]
    train, validation, test = ("".join(rng.choice(words) for _ in range(n)) for n in (2000, 200, 200))
    order, bits = best_n_gram(train, validation, test)
    # a word is one of three, and its first letter says which: log2(3) bits a word of 5 1/3 letters
    assert order >= 2
    assert bits == pytest.approx(math.log2(3) / (len(test) / 200), rel=0.1)
    noise = "".join(rng.choice("ab") for _ in range(4000))
    assert best_n_gram(noise[:3000], noise[3000:3500], noise[3500:])[1] == pytest.approx(1.0, abs=0.03)


def test_xz_needs_little_for_what_it_has_read() -> None:
    rng = random.Random(1)
    text, other = ("".join(rng.choices("abcdefgh", k=4000)) for _ in range(2))
    assert xz_bits(text, text) < 0.2
    assert xz_bits(text, other) == pytest.approx(3.0, rel=0.1)


def test_a_bag_of_words_finds_the_telling_word() -> None:
    rng = random.Random(0)
    labels = [rng.randrange(3) for _ in range(300)]
    rows = [[label, *(rng.randrange(3, 30) for _ in range(5))] for label in labels]
    train, validation, test = (slice(0, 150), slice(150, 200), slice(200, 300))
    said = bag_of_words((rows[train], labels[train]), (rows[validation], labels[validation]), rows[test])
    assert said == labels[test]
    # which words there are, not how many of each or in which order, and none that training lacks
    other = [[99, *reversed(row), row[0]] for row in rows[test]]
    assert bag_of_words((rows[train], labels[train]), (rows[validation], labels[validation]), other) == said
    assert majority([0, 1, 1], [0, 0]) == [1, 1]


def test_a_bag_of_words_predicts_the_only_label() -> None:
    rows = [[1, 2], [3]]
    assert bag_of_words((rows, [1, 1]), (rows, [1, 0]), [*rows, [4]]) == [1, 1, 1]


def test_the_penalty_of_a_bag_of_words_is_chosen_on_validation() -> None:
    labels = [0] * 30 + [1] * 10
    rows = [[label, 2, 3] for label in labels]
    # a light penalty follows the word that tells, a heavy one says what is most frequent
    assert bag_of_words((rows, labels), (rows, labels), rows) == labels
    assert bag_of_words((rows, labels), (rows, [0] * 40), rows) == [0] * 40


def test_the_nearest_is_the_same_text_or_the_most_similar() -> None:
    train = ["14 October 2019", "United States dollar", "French", "14 October 2018"]
    assert nearest(train, train) == [0, 1, 2, 3]
    assert nearest(train, ["US dollar", "French (Canada)", "12 October 2018"]) == [1, 2, 3]
    assert nearest(train, ["\N{SNOWMAN}"]) == [0]


def test_ridge_finds_a_linear_rule_and_its_penalty_is_chosen_on_validation() -> None:
    draw = np.random.default_rng(0)
    inputs_NF = draw.normal(size=(300, 4)) * (1.0, 100.0, 0.01, 1.0) + (0.0, 50.0, 0.0, 0.0)
    weight_FH = np.array([[1.0, 0.0], [0.02, 0.0], [30.0, -50.0], [0.0, 2.0]])
    targets_NH = inputs_NF @ weight_FH + (3.0, -1.0)
    parts = [(inputs_NF[part], targets_NH[part]) for part in (slice(0, 100), slice(100, 200), slice(200, 300))]
    (train, validation, (test_NF, truth_NH)) = parts
    assert ridge(train, validation, test_NF) == pytest.approx(truth_NH, abs=1e-3)
    assert ridge((train[0], train[1][:, 0]), (validation[0], validation[1][:, 0]), test_NF).shape == (100,)
    # a validation that only the mean of training foretells asks for the heaviest penalty
    mean_NH = np.broadcast_to(train[1].mean(0), validation[1].shape)
    flat_NH = ridge(train, (validation[0], mean_NH), test_NF)
    assert np.abs(flat_NH - mean_NH[0]).max() < 0.03 * np.abs(truth_NH - mean_NH[0]).max()


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_every_task_has_two_baselines_with_its_primary_metric(task: str) -> None:
    built = tiny_task(tiny_config("rnn", task))
    assert isinstance(built, BaselineSource)
    found = list(built.baselines())
    assert len(found) == 2
    primary = built.meter("test").primary
    for baseline in found:
        assert primary in baseline.metrics
        assert baseline.about
    first, second = (baseline.metrics[primary] for baseline in found)
    assert second.better_than(first) or task == "translation"
