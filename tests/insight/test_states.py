"""The values shown for units and gates, and the features that units follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from seqlab.core.example import Example, example_reader
from seqlab.core.model import Memory
from seqlab.core.network import Network, StepOutput
from seqlab.core.state import State
from seqlab.data.batches import PairBatch
from seqlab.data.vocabulary import START
from seqlab.errors import ConfigError
from seqlab.insight.following import features, followers
from seqlab.insight.signals import signals_of
from seqlab.insight.states import states
from seqlab.layers.kernels import Kernel
from seqlab.layers.recurrent import RecurrentStack
from seqlab.networks.encoder_decoder import TokenEncoderDecoder
from seqlab.networks.token_lm import TokenLM
from seqlab.tasks.char_lm import CharLM
from tests.conftest import MODELS, tiny_config, tiny_network, tiny_task

TEXT = 'def f(x):\n    return "a (b"\n\nNext'


@pytest.mark.parametrize("model", ["rnn", "lstm", "gru"])
def test_gates_and_units_are_those_of_the_equation_step_by_step(model: str) -> None:
    config = tiny_config(model, "char_lm")
    task, network = tiny_task(config), tiny_network(config)
    assert isinstance(task, CharLM)
    assert isinstance(network, TokenLM)
    stack = network.decoder
    assert isinstance(stack, RecurrentStack)
    for parameter in stack.parameters():  # biases start at zero: give each a value of its own
        torch.nn.init.normal_(parameter, std=0.4)
    seen = signals_of(network, example_reader(task).example(network, TEXT))
    x_TD = network.embed(torch.tensor(task.token_vocabulary.encode(TEXT[:-1]))).detach()
    zeros_H = torch.zeros(config.model.width)
    before: list[tuple[torch.Tensor, ...]] = [(zeros_H, zeros_H) if model == "lstm" else (zeros_H,)] * 2
    for place, x_D in enumerate(x_TD):
        for layer, kernel in enumerate(stack.kernels):
            W_xh, W_hh, b_xh, b_hh = (
                kernel.get_parameter(f"{name}_l0").detach() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            given = W_xh @ x_D + b_xh, W_hh @ before[layer][0] + b_hh
            assert isinstance(kernel, Kernel)
            gates = kernel.gates(*given)
            before[layer] = kernel.equation(*given, before[layer])
            x_D = before[layer][0]
        np.testing.assert_allclose(seen.hidden_TH[place], x_D, rtol=1e-4, atol=1e-6)
        assert seen.others.keys() == gates.keys()
        for name, gate_TH in seen.others.items():
            np.testing.assert_allclose(gate_TH[place], gates[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "order"),
    [
        ("gru", "reset, update and candidate, for the same units in the same order; "),
        ("ssm", "forget and input (not by unit, with rows of its own, sorted by variance: forget, input); "),
    ],
)
def test_the_text_tells_signals_of_each_unit_from_signals_of_a_head(model: str, order: str) -> None:
    config = tiny_config(model, "char_lm")
    assert order in states(tiny_task(config), tiny_network(config), TEXT, search=False).about


@pytest.mark.parametrize("model", MODELS)
def test_what_is_said_of_a_gate_that_chooses_between_old_and_new_is_so(model: str) -> None:
    """Each family states it for itself: a bright update gate keeps in a GRU of torch, and replaces in minGRU."""
    config = tiny_config(model, "char_lm", "model.layers=1")
    task, network = tiny_task(config), tiny_network(config)
    torch.manual_seed(0)
    for name, parameter in network.named_parameters():  # so that gates are open or closed
        if parameter.dim() == 2 and "embed" not in name:
            torch.nn.init.normal_(parameter, std=20.0)
    seen = signals_of(network, example_reader(task).example(network, TEXT))
    about = states(task, network, TEXT, search=False).about
    assert all(meaning in about for meaning in seen.meanings.values())
    assert ("forget" in seen.others) == ("forget" in seen.meanings)
    assert ("update" in seen.others) == ("update" in seen.meanings)
    if "update" in seen.meanings:
        keeps = 1.0 if "stays bright, the unit keeps" in seen.meanings["update"] else 0.0
        change_TH, gate_TH = np.abs(np.diff(seen.hidden_TH, axis=0)), seen.others["update"][1:]
        kept = np.abs(gate_TH - keeps) < 1e-6
        assert kept.any()
        assert change_TH[kept].max() < 1e-3
        assert np.mean(change_TH[np.abs(gate_TH - keeps) > 1 - 1e-6]) > 0.1


def test_features_of_a_text_by_hand() -> None:
    found = features(list('a "b" (c)\n\n  Dd'))
    assert found["inside quotes"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert found["inside brackets"].tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert found["position in line"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 1, 2, 3, 4]
    assert found["indentation"].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 2, 2]
    assert found["position in word"].tolist() == [1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2]
    assert found["capital letter"].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]


def test_an_open_quote_ends_with_its_paragraph() -> None:
    assert features(list('"a (b\n\nc'))["inside quotes"].tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
    assert features(list('"a (b\n\nc'))["inside brackets"].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]


@given(st.lists(st.sampled_from(['"', "(", ")", "\n", " ", "a", "B", "word", ""]), min_size=0, max_size=60))
def test_features_are_one_number_a_token(tokens: list[str]) -> None:
    for column in features(tokens).values():
        assert len(column) == len(tokens)
        assert column.std() > 0
        assert column.min() >= 0


def test_the_unit_that_follows_is_found_and_judged_on_other_text() -> None:
    generator = np.random.default_rng(0)
    feature_T = generator.integers(0, 2, 400).astype(float)
    hidden_TH = generator.normal(size=(400, 50))
    hidden_TH[:, 17] = -feature_T + 0.05 * generator.normal(size=400)
    hidden_TH[:, 4] = 1.0  # one that never changes follows nothing
    (found,) = followers(hidden_TH, {"it": feature_T})
    assert (found.unit, found.feature) == (17, "it")
    assert found.correlation == pytest.approx(np.corrcoef(hidden_TH[200:, 17], feature_T[200:])[0, 1])
    # among many units of pure noise one fits the half that chose it, and not the other
    (noise,) = followers(generator.normal(size=(60, 2000)), {"it": feature_T[:60]})
    assert abs(noise.correlation) < 0.5


def test_token_labels_show_the_text_itself() -> None:
    """Every token is visible in the picture, also one that starts a formula, is unprintable, or is in no font."""
    config = tiny_config("gru", "char_lm")
    picture = states(tiny_task(config), tiny_network(config), "a_b$c d\n\x0c\x1b日 e")
    drawn = ElementTree.fromstring(picture.svg)
    words = ["".join(element.itertext()).strip() for element in drawn.iter() if element.tag.endswith("text")]
    assert [word for word in words if word in {*"a_b$c·d⏎日", "\\x0c", "\\x1b"}][:12] == [
        "a", "_", "b", "$", "c", "·", "d", "⏎", "\\x0c", "\\x1b", "日", "·",
    ]  # fmt: skip
    assert picture.png.startswith(b"\x89PNG")


def test_every_family_on_every_task_has_a_picture() -> None:
    for model, task_name in (("lstm", "sentiment"), ("gru", "translation"), ("transformer", "char_lm")):
        config = tiny_config(model, task_name)
        picture = states(tiny_task(config), tiny_network(config), None)
        assert picture.png.startswith(b"\x89PNG")
        assert len(picture.data["hidden"]) == len(picture.data["tokens"])


class _Backwards(TokenEncoderDecoder):
    """A custom network whose decoder has another name and is the only sequence model called as a module."""

    def __init__(self, network: TokenEncoderDecoder) -> None:
        nn.Module.__init__(self)
        self.embed, self.writes, self.score = network.embed_target, network.decoder, network.head

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        return ()

    def forward(self, batch: PairBatch, state: State) -> StepOutput:
        before_BT = functional.pad(batch.target_BT[:, :-1], (1, 0), value=START)
        x_BTD = self.embed(before_BT)
        memory = Memory(x_BTD, torch.ones(before_BT.shape, dtype=torch.bool), x_BTD[:, 0])
        hidden_BTD, _ = self.writes(x_BTD, self.writes.initial_state(batch.size), memory=memory)
        return StepOutput(hidden_BTD.sum(), (), self.score(hidden_BTD))


def test_units_of_a_decoder_are_labelled_with_what_it_reads() -> None:
    """Also if a custom network gives it another name; if the task does not name it, nothing is drawn."""
    config = tiny_config("gru", "translation")
    task, plain = tiny_task(config), tiny_network(config)
    assert isinstance(plain, TokenEncoderDecoder)
    network, example = _Backwards(plain), example_reader(task).example(plain, "3 May")
    assert len(example.decoder_tokens) != len(example.tokens)

    class Own(type(task)):  # type: ignore[misc]
        def __init__(self, found: Example[Any]) -> None:
            self.found = found

        def example(self, network: Network[Any], text: str) -> Example[Any]:
            return self.found

    drawn = states(Own(replace(example, decoder="writes")), network, "3 May", search=False)
    assert drawn.data["tokens"] == list(example.decoder_tokens)
    assert len(drawn.data["hidden"]) == len(example.decoder_tokens)
    with pytest.raises(ConfigError, match=rf"reads {len(example.decoder_tokens)} positions, and the text has 5"):
        states(Own(example), network, "3 May", search=False)
    # ours: the encoder comes first, and reads the source
    assert states(task, plain, "3 May", search=False).data["tokens"] == list("3 May")
