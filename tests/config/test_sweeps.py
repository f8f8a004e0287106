"""Hydra's sweep grammar: the same values as Hydra's own expansion, and mistakes explained."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.config.overrides import key_of
from seqlab.config.sources import group_files
from seqlab.config.sweeps import Axis, in_whole_numbers, read_axes
from seqlab.errors import ConfigError

_VALUES = st.one_of(
    st.integers(-99, 999).map(str),
    st.floats(1e-6, 1e6).map(repr),
    st.sampled_from(["lstm", "true", "'a b'", '"x,y"', "[1,2]", "[0.9,0.95]", "1e-3", "0.0010"]),
)
_LISTS = st.lists(_VALUES, min_size=2, max_size=4).map(",".join)
_SIMPLE = st.lists(st.one_of(_VALUES, st.just("null")), min_size=2, max_size=4).map(",".join)  # choice() takes no null
_NUMBERS = st.lists(st.integers(-50, 50), min_size=2, max_size=5).map(lambda numbers: ",".join(map(str, numbers)))
_RANGES = st.one_of(
    st.builds("range({},{},{})".format, st.integers(-5, 5), st.integers(6, 40), st.integers(1, 9)),
    st.builds("range({},{},{})".format, st.integers(10, 20), st.integers(-9, 9), st.integers(-9, -1)),
    st.integers(1, 9).map("range({})".format),
    st.builds("range({},{},0.25)".format, st.integers(0, 2), st.integers(3, 5)),
)
_SWEEPS = st.one_of(
    _SIMPLE,
    _LISTS.map("choice({})".format),
    _RANGES,
    _RANGES.map("float({})".format),
    _NUMBERS.map("sort({})".format),
    _NUMBERS.map("str(choice({}))".format),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(_SWEEPS, min_size=1, max_size=3))
def test_a_grid_is_what_hydra_makes_of_the_same_words(sweeps: list[str]) -> None:
    words = [f"group.key{place}={sweep}" for place, sweep in enumerate(sweeps)]
    axes = read_axes(words)
    assert list(axes) == words
    ours = list(product(*([f"{axis.key}={value}" for value in axis.values] for axis in axes.values())))
    (batch,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(words), None)
    # what is given twice is one trial
    assert ours == list(dict.fromkeys(map(tuple, batch)))
    for trial in (ours[0], ours[-1]):  # each is an override of one value, of the same key
        assert read_axes(trial) == {}
        assert list(map(key_of, trial)) == [axis.key for axis in axes.values()]


def test_a_glob_chooses_among_the_files_of_a_group(tmp_path: Path) -> None:
    (axis,) = read_axes(["model=glob(*)"]).values()
    assert axis.values == tuple(group_files("model", None))
    (some,) = read_axes(["model=glob([*gru,*lstm],exclude=min*)"]).values()
    assert some.values == ("gru", "lstm")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").touch()
    assert read_axes(["model=glob(mi*)"], tmp_path)["model=glob(mi*)"].values == ("mine", "mingru", "minlstm")


def test_one_value_is_no_axis(tmp_path: Path) -> None:
    file = tmp_path / "a,b.txt"
    file.touch()
    words = ["model=lstm", "optim.betas=[0.9,0.95]", "x={a:1,b:2}", f"task.corpus={file}", "task.corpus=a (1).txt", "["]
    assert read_axes(words) == {}


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("x.y=interval(0,0.5)", "0 to 0.5"),
        ("x.y=tag(log,interval(1e-4,1e-1))", "0.0001 to 0.1, on a logarithmic scale"),
        ("x.y=int(interval(2,9))", "2 to 9, in whole numbers"),
        ("x.y=tag(log,int,interval(1,64))", "1 to 64, in whole numbers, on a logarithmic scale"),
    ],
)
def test_an_interval_has_ends_a_scale_and_a_middle(word: str, shown: str) -> None:
    (axis,) = read_axes([word]).values()
    assert axis.is_interval
    assert str(axis) == shown
    assert 0.45 < axis.place(axis.middle) < 0.55 or axis.whole
    assert axis.at_edge(axis.spelled(axis.low))
    assert not axis.at_edge(axis.middle)


@given(st.floats(1e-9, 1e9), st.floats(1.001, 1e6), st.floats(0, 1), st.booleans())
def test_a_spelled_value_stays_inside(low: float, factor: float, part: float, log: bool) -> None:
    axis = Axis("x", low=low, high=low * factor, log=log)
    value = min(axis.high, low + part * (axis.high - low))
    assert low <= float(axis.spelled(value)) <= axis.high
    assert float(axis.spelled(value)) == pytest.approx(value, rel=1e-3)


def test_whole_numbers_lie_inside() -> None:
    axis = in_whole_numbers(Axis("x", low=1.2, high=4.9))
    assert (axis.low, axis.high, axis.spelled(2.6)) == (2, 4, "3")
    with pytest.raises(ConfigError, match="no two whole numbers"):
        in_whole_numbers(Axis("x", low=1.2, high=2.9))


@pytest.mark.parametrize(
    ("word", "what", "hint"),
    [
        ("x=range(5,1)", "has no values", "range(START,STOP,STEP) ends before STOP"),
        ("x=range(1,5,0)", "cannot be read", "range("),
        ("x=range(0,1,1e-9)", "more than 1,000 values", "interval"),
        ("model=glob(nothing*)", "has no values", ""),
        ("x=glob(*)", "glob chooses among files", "model, task"),
        ("x=shuffle(range(1,9))", "the same trials", "leave shuffle out"),
        ("x=tag(lg,interval(1,2))", "no tag 'lg'", "tags: int, log"),
        ("x=tag(log,choice(1,2))", "a tag says how an interval is searched", ""),
        ("x=interval(2,1)", "is no interval", "LOW less than HIGH"),
        ("x=interval(0,1e999)", "is no interval", ""),
        ("x=tag(log,interval(0,1))", "begins above 0", "tag(log, interval("),
        ("+x=1,2", "settings that exist", "leave + out"),
        ("~x=1,2", "settings that exist", "leave ~ out"),
    ],
)
def test_a_mistake_is_explained(word: str, what: str, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_axes([word])
    assert what in error.value.what
    assert word in error.value.what
    assert hint in error.value.hint or hint in error.value.allowed
