"""Counting parts, and bringing every family to one size."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import nn

from seqlab.comparison.sizes import Part, Sizes, changes, match_size, sizes, sizes_of
from seqlab.core.batch import Batch
from seqlab.core.model import SequenceModel
from seqlab.core.network import GeneratingNetwork, Network, Parts, StepOutput
from seqlab.core.state import State
from seqlab.errors import ConfigError
from seqlab.models.lstm import LSTMConfig
from tests.conftest import MODELS, PAIRS, ROLES, config_of, tiny_config, tiny_network, tiny_task

MATCHED = tuple((model, task) for model, task in PAIRS if task in ROLES or model == MODELS[0])
"""Each family in its roles, and each task with one: matching meets a task through the counts of its network's parts
alone, and a family through the widths that it can have."""


@pytest.mark.parametrize(("model", "task"), PAIRS)
@pytest.mark.parametrize("tied", ["true", "false"])
def test_parts_add_up_and_need_no_memory(model: str, task: str, tied: str) -> None:
    config = tiny_config(model, task, f"model.tie_embeddings={tied}")
    network = tiny_network(config)
    found = sizes(network)
    assert found.params == sum(p.numel() for p in network.parameters())
    assert found == sizes_of(tiny_task(config), config.model)
    models = [m for m in network.children() if isinstance(m, SequenceModel)]
    assert found.body == sum(p.numel() for m in models for p in m.parameters())
    head = network.get_submodule("head")
    shared = tied == "true" and isinstance(network, GeneratingNetwork)  # a label's scores have no table to share
    assert found.head == (head.bias.numel() if shared else sum(p.numel() for p in head.parameters()))  # type: ignore[operator]


class _Plain(Network[Batch]):
    """A custom network whose body is no SequenceModel and whose vectors are no nn.Embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(10, 4))
        self.mixer, self.head = nn.Conv1d(4, 4, 3), nn.Linear(4, 10)
        self.head.weight = self.vectors  # tied

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        return ()

    def forward(self, batch: Batch, state: State) -> StepOutput:
        raise NotImplementedError


class _Named(_Plain):
    """The same, with its own parts()."""

    def parts(self) -> Parts:
        return Parts((self.vectors,), (self.mixer,), (self.head,))


class _Forgetful(_Plain):
    def parts(self) -> Parts:
        return Parts((), (self.mixer,), ())


def test_a_network_may_define_its_body() -> None:
    assert sizes(_Named()) == Sizes(embedding=40, body=4 * 4 * 3 + 4, head=10)
    assert sizes(_Plain()) == Sizes(embedding=0, body=0, head=102)
    with pytest.raises(ConfigError, match=r"_Forgetful.parts\(\) leaves out vectors"):
        sizes(_Forgetful())


def test_matching_refuses_a_network_without_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config("lstm", "char_lm")
    data = tiny_task(config)
    monkeypatch.setattr(data, "build_network", lambda _: _Plain())
    with pytest.raises(ConfigError, match="no body to match"):
        match_size(data, config.model, "body", 1000)


@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_our_networks_parts_equal_the_default_division(model: str, task: str) -> None:
    """With learned positions too: the default finds by module types what the networks state."""
    network = tiny_network(tiny_config(model, task))

    def weights(part: tuple[nn.Module | nn.Parameter, ...]) -> set[int]:
        return {id(p) for one in part for p in (one.parameters() if isinstance(one, nn.Module) else (one,))}

    named, found = network.parts(), Network.parts(network)
    assert weights(named.body) == weights(found.body)
    assert weights(named.head) == weights((network.get_submodule("head"),))
    # what reads real numbers is no table of vectors, and by default it is left to the head
    assert weights(named.embedding) >= weights(found.embedding)
    assert weights(named.embedding) | weights(named.head) == weights(found.embedding) | weights(found.head)
    assert weights(named.embedding).isdisjoint(weights(named.head))


@pytest.mark.parametrize(("model", "task"), MATCHED)
@pytest.mark.parametrize(
    ("part", "target"),
    [
        ("body", 300_000),
        pytest.param("params", 3_000_000, marks=pytest.mark.slow),
    ],
)
def test_every_family_on_every_task_is_matched_within_two_percent(
    model: str, task: str, part: Part, target: int
) -> None:
    config = config_of(model, task)
    data = tiny_task(tiny_config(model, task))
    found = match_size(data, config.model, part, target)
    reached = getattr(sizes_of(data, found), part)
    assert abs(reached - target) <= 0.02 * target
    assert config_of(model, task, *changes(config.model, found)).model == found


@pytest.mark.slow
@pytest.mark.parametrize(("model", "task"), MATCHED)
def test_a_small_body_is_matched_or_its_neighbours_are_named(model: str, task: str) -> None:
    """One more unit of width is a step of 8 % for three layers of width 24: sizes between two are refused, with
    both."""
    config, target = config_of(model, task), 60_000
    data = tiny_task(tiny_config(model, task))
    try:
        found = match_size(data, config.model, "body", target)
    except ConfigError as error:
        offers = re.findall(r"([\d,]+) \((model\.[^)]+)\)", error.hint)
        below, above = (int(size.replace(",", "")) for size, _ in offers)
        assert below < 0.98 * target < 1.02 * target < above
        widths = []
        for size, settings in offers:
            offered = config_of(model, task, *settings.split(", ")).model
            assert sizes_of(data, offered).body == int(size.replace(",", ""))
            widths.append(offered.width)
        assert widths[1] == widths[0] + 1  # there is nothing between them
    else:
        assert abs(sizes_of(data, found).body - target) <= 0.02 * target


def test_the_transformer_keeps_heads_and_divisibility() -> None:
    config = tiny_config("transformer", "char_lm", "model.heads=4", "model.positions=rope")
    found = match_size(tiny_task(config), config.model, "body", 300_000)
    assert found.heads == 4  # type: ignore[attr-defined]
    assert found.width % 8 == 0
    ratio = found.feed_forward / found.width  # type: ignore[attr-defined]
    assert 0.87 * 2 <= ratio <= 1.13 * 2


@pytest.mark.parametrize("model", MODELS)
def test_a_size_that_cannot_be_met_names_the_nearest(model: str) -> None:
    config = tiny_config(model, "char_lm")
    with pytest.raises(ConfigError, match="cannot be met within 2 %") as error:
        match_size(tiny_task(config), config.model, "body", 37)
    assert "model.width=" in error.value.hint


@config_dataclass(frozen=True, kw_only=True)
class _Choosy(LSTMConfig):
    """A custom family that checks its width and does not override at_width."""

    def __post_init__(self) -> None:
        if self.width % 8:
            raise ValueError("the width must be a multiple of 8")


def test_a_family_that_refuses_widths_is_matched_over_the_others() -> None:
    data = tiny_task(tiny_config("lstm", "char_lm"))
    lstm = config_of("lstm", "char_lm").model
    choosy = _Choosy(**{field.name: getattr(lstm, field.name) for field in fields(lstm)})
    found = match_size(data, choosy, "body", 104_000)
    assert found.width % 8 == 0
    with pytest.raises(ConfigError, match="cannot be met"):
        match_size(data, choosy, "body", 20_000)
