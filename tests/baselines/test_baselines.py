"""What is reached without a network, against answers that are known."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.baselines.bag_of_words import BagOfWords, best_bag_of_words, majority
from seqlab.baselines.n_gram import WittenBell, best_n_gram, xz_bits
from seqlab.baselines.neighbours import nearest
from tests.conftest import TASKS, tiny_config, tiny_task


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


def test_a_bag_of_words_finds_the_word_that_tells() -> None:
    rng = random.Random(0)
    labels = [rng.randrange(3) for _ in range(300)]
    rows = [[label, *(rng.randrange(3, 30) for _ in range(5))] for label in labels]
    model = BagOfWords(rows[:200], labels[:200], 30, 3, penalty=0.1)
    assert model.answers(rows[200:]) == labels[200:]
    assert (
        best_bag_of_words((rows[:150], labels[:150]), (rows[150:200], labels[150:200]), rows[200:], 30, 3)
        == labels[200:]
    )
    assert majority([0, 1, 1], [0, 0]) == [1, 1]


def test_the_nearest_is_the_same_text_or_the_most_similar() -> None:
    train = ["14 October 2019", "United States dollar", "French", "14 October 2018"]
    assert nearest(train, train) == [0, 1, 2, 3]
    assert nearest(train, ["US dollar", "French (Canada)", "12 October 2018"]) == [1, 2, 3]
    assert nearest(train, ["\N{SNOWMAN}"]) == [0]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_two_and_they_carry_its_primary_metric(task: str) -> None:
    built = tiny_task(tiny_config("rnn", task))
    found = list(built.baselines())
    assert len(found) == 2
    primary = built.meter("test").primary
    for baseline in found:
        assert primary in baseline.metrics
        assert baseline.about
    first, second = (baseline.metrics[primary] for baseline in found)
    assert second.better_than(first) or task == "translation"
