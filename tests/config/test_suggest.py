"""A suggestion works as shown and stays in the group that was typed; none is better than a wrong one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from seqlab.config.compose import settings
from seqlab.config.run import load_run_config
from seqlab.config.suggest import is_typo, nearest_key, unknown_key
from seqlab.errors import ConfigError

KNOWN = settings([])
LETTERS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)


def test_every_suggestion_for_a_misspelt_setting_is_accepted_and_stays_in_its_group() -> None:
    suggested = set()
    for key in KNOWN:
        group, dot, leaf = key.rpartition(".")
        for wrong in (leaf[:-1], leaf + leaf[-1], leaf[0] + leaf[2:], leaf.replace("_", "")):
            if (near := nearest_key(f"{group}{dot}{wrong}", KNOWN)) is not None:
                assert near.rpartition(".")[0] == group
                suggested.add(near)
    assert len(suggested) > len(KNOWN) / 2
    assert suggested <= KNOWN.keys()


@hypothesis_settings(max_examples=100, deadline=None)
@given(group=st.sampled_from(["model", "task", "optim", "trainer", "device"]), leaf=LETTERS)
def test_no_suggestion_crosses_groups(group: str, leaf: str) -> None:
    near = nearest_key(f"{group}.{leaf}", KNOWN)
    assert near is None or near.startswith(f"{group}.")


@pytest.mark.parametrize(
    "typed", ["hidden_size", "num_layers", "lr", "epochs", "batch", "model.dropuot", "trainer.clip", "task.folder"]
)
def test_a_suggested_line_is_accepted_as_it_is_shown(typed: str) -> None:
    near = nearest_key(typed, KNOWN)
    assert near is not None
    value = "1" if KNOWN[near] is None else str(KNOWN[near])
    line = unknown_key(typed, value, KNOWN).hint.removeprefix("did you mean ").removesuffix("?")
    assert line == f"{near}={value}"
    assert load_run_config([line])


@pytest.mark.parametrize(
    ("word", "name", "is_one"),
    [
        ("lstn", "lstm", True),  # wrong
        ("ltsm", "lstm", True),  # swapped
        ("slmt", "lstm", False),
        ("nrn", "rnn", True),
        ("ltm", "lstm", True),  # missing
        ("lsttm", "lstm", True),  # too many
        ("gru", "rnn", False),
        ("rnm", "rnn", True),
        ("cnn", "rnn", False),  # there is such a thing
        ("xlstm", "lstm", False),
        ("rn", "rnn", False),
        ("gpu", "cpu", False),
        ("lost", "lstm", False),
        ("lost", "last", True),
    ],
)
def test_one_wrong_letter_is_a_typing_error_but_another_word_is_not(word: str, name: str, is_one: bool) -> None:
    assert is_typo(word, name) is is_one


def test_a_misspelt_model_is_suggested() -> None:
    with pytest.raises(ConfigError) as error:
        load_run_config(["model=lstn"])
    assert error.value.hint == "did you mean model=lstm?"


@pytest.mark.parametrize("word", ["embeddings", "gpus", "xyz", "hedas", "window_sise_of_all"])
def test_an_unrelated_word_gets_no_suggestion(word: str) -> None:
    assert nearest_key(f"optim.{word}", KNOWN) is None
