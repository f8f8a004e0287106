"""A custom model has every view that its task allows, with signals and attention that no code here names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.core.attention import Attention
from seqlab.core.example import ExampleReader, ExampleSource, example_reader, example_source
from seqlab.core.model import Memory, ModelConfig, Role, SequenceModel
from seqlab.core.offers import offers
from seqlab.core.state import State
from seqlab.errors import ConfigError
from seqlab.insight.inspected import InspectedRun
from seqlab.insight.signals import signals_of
from seqlab.insight.states import states
from seqlab.runs.inspect import VIEWS
from tests.conftest import TASKS, tiny_config, tiny_network, tiny_task


class Mean(Attention):
    """Attention to all positions so far, with equal weights."""

    causal = True

    def weights(self, x_BTD: Tensor) -> Tensor:
        steps = x_BTD.shape[1]
        weight_TS = torch.ones(steps, steps).tril() / torch.arange(1, steps + 1)[:, None]
        return weight_TS.expand(len(x_BTD), 1, steps, steps)

    def forward(self, *, x_BTD: Tensor) -> Tensor:
        return self.weights(x_BTD)[:, 0] @ x_BTD


class Leaky(SequenceModel):
    """h_t = d_t h_{t-1} + (1 - d_t) x_t with a decay d_t = sigmoid(w x_t) of one number a position."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, self.decay, self.mean = width, nn.Linear(width, 1), Mean()

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return (self.decay.weight.new_zeros(rows, self.width),)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        (h_BD,) = state
        assert isinstance(h_BD, Tensor)
        hidden = []
        for x_BD, d_B1 in zip(x_BTD.unbind(1), self.decay(x_BTD).sigmoid().unbind(1), strict=True):
            h_BD = d_B1 * h_BD + (1 - d_B1) * x_BD
            hidden.append(h_BD)
        hidden_BTD = torch.stack(hidden, 1)
        return hidden_BTD + self.mean(x_BTD=x_BTD), (h_BD,)

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        hidden_BTD = self(x_BTD, state)[0] - self.mean(x_BTD=x_BTD)
        return {
            "hidden": hidden_BTD,
            "leak_$rate": self.decay(x_BTD).sigmoid(),
            "energy": hidden_BTD.square().sum(-1),
            "outer": hidden_BTD[..., None] * hidden_BTD[..., None, :],
        }


@config_dataclass(frozen=True, kw_only=True)
class LeakyConfig(ModelConfig):
    def build(self, role: Role) -> SequenceModel:
        return Leaky(self.width)


OWN = LeakyConfig(width=8, dropout=0.0, tie_embeddings=False)


@pytest.mark.parametrize("name", TASKS)
def test_signals_of_its_own_names_are_drawn(name: str) -> None:
    task = tiny_task(tiny_config("gru", name))
    readable = offers(task, ExampleReader) and offers(task, ExampleSource)
    if not readable:  # there is nothing that could be drawn
        return
    torch.manual_seed(0)
    network = task.build_network(OWN)
    example = example_reader(task).example(network, example_source(task).example_text(20))
    seen = signals_of(network, example)
    positions = len(seen.hidden_TH)
    assert [value_TH.shape for value_TH in seen.others.values()] == [(positions, 1), (positions, 1), (positions, 64)]
    np.testing.assert_allclose(seen.others["energy"][:, 0], (seen.hidden_TH**2).sum(1), rtol=1e-5)
    outer_THH = seen.hidden_TH[:, :, None] * seen.hidden_TH[:, None]
    np.testing.assert_allclose(seen.others["outer"], outer_THH.reshape(positions, 64), rtol=1e-5)
    picture = states(task, network, example_source(task).example_text(20))
    assert picture.data["signals"] == ["leak_$rate", "energy", "outer"]
    assert "leak_$rate, energy and outer" in picture.about
    for label in ("leak_$rate", "energy", "outer"):
        assert f">{label}<" in picture.svg


def test_a_custom_model_has_the_views_of_shipped_models() -> None:
    config = tiny_config("gru", "char_lm")
    task = tiny_task(config)
    network = task.build_network(OWN)
    run = InspectedRun("own", Path("nowhere"), config, task, network, 0)
    drawn = {}
    for name, view in VIEWS.items():
        try:
            drawn[name] = view([run], None)
        except ConfigError:
            continue
    assert drawn.keys() == {"gradient", "memory", "states", "attention", "embedding"}
    (attention,) = drawn["attention"]
    weight_NTS = np.array(attention.data["weights"])
    assert weight_NTS[0, 2, :4] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0], abs=1e-4)
    assert all(picture.png.startswith(b"\x89PNG") for pictures in drawn.values() for picture in pictures)


@pytest.mark.parametrize(
    ("signals", "told"),
    [
        ({"units": torch.zeros(1, 5, 8)}, "no signal called hidden"),
        ({"hidden": torch.zeros(1, 5, 8), "late": torch.zeros(1, 4, 8)}, "late of decoder has 4 positions"),
    ],
)
def test_signals_of_a_wrong_shape_are_refused(
    signals: dict[str, Tensor], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tiny_task(tiny_config("gru", "char_lm"))
    network = task.build_network(OWN)
    monkeypatch.setattr(Leaky, "signals", lambda *_, **__: signals)
    with pytest.raises(ConfigError, match=told):
        states(task, network, "abcde", search=False)


def test_signals_are_those_of_evaluation() -> None:
    """Without dropout, whatever the mode of the network, which stays as it was."""
    config = tiny_config("lstm", "char_lm", "model.dropout=0.5")
    task, network = tiny_task(config), tiny_network(config)
    example = example_reader(task).example(network.train(), "abcdef")
    seen, again = (signals_of(network, example) for _ in range(2))
    np.testing.assert_array_equal(seen.hidden_TH, again.hidden_TH)
    assert network.training
