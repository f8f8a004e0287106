"""The weights shown are those used."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seqlab.core.attention import Attention
from seqlab.core.example import example_reader
from seqlab.core.model import Memory
from seqlab.insight.attention import attention, attentive
from seqlab.insight.maps import maps, spread
from seqlab.insight.watching import calls_of
from seqlab.layers.attention import AdditiveAttention, CrossAttention, DotAttention, SelfAttention
from seqlab.layers.positions import rotations
from tests.conftest import tiny_config, tiny_network, tiny_task

B, T, S, D, N = 2, 5, 7, 16, 4


def _join(x_BNTK: torch.Tensor) -> torch.Tensor:
    return x_BNTK.transpose(1, 2).flatten(2)


@pytest.mark.parametrize("causal", [True, False])
def test_weights_times_values_equal_the_output_of_self_attention(causal: bool) -> None:
    torch.manual_seed(0)
    module, x_BTD = SelfAttention(D, N, 0.0, causal=causal), torch.randn(B, T, D)
    valid_BT = torch.arange(T) < torch.tensor([[T], [3]])
    given = (x_BTD, (), 0, rotations(T, D // N), valid_BT)
    weight_BNTS = module.weights(*given)
    _, _, value_BNSK = module._project(x_BTD, None)
    torch.testing.assert_close(module(*given), module.output(_join(weight_BNTS @ value_BNSK)))
    torch.testing.assert_close(weight_BNTS.sum(-1), torch.ones(B, N, T))
    if causal:
        assert not weight_BNTS.triu(1).any()
    else:
        assert not weight_BNTS[1, :, :, 3:].any()
    with pytest.raises(ValueError, match="at once"):
        module.weights(x_BTD, (), 2, None, None)


def test_weights_times_values_equal_the_output_of_cross_attention() -> None:
    torch.manual_seed(0)
    x_BTD, source_BSD = torch.randn(B, T, D), torch.randn(B, S, D)
    memory = Memory(source_BSD, torch.arange(S) < torch.tensor([[S], [4]]), source_BSD[:, 0])
    cross = CrossAttention(D, N, 0.0)
    read = cross.keys_values(memory)
    weight_BNTS = cross.weights(x_BTD, read, memory.valid_BS)
    torch.testing.assert_close(cross(x_BTD, read, memory.valid_BS), cross.output(_join(weight_BNTS @ read[1])))
    for module in (DotAttention(D), AdditiveAttention(D)):
        weight_B1TS = module.weights(x_BTD, memory)
        context_BTD = weight_B1TS[:, 0] @ source_BSD
        expected_BTD = x_BTD + module.mix(torch.cat((context_BTD, x_BTD), -1))
        torch.testing.assert_close(module(x_BTD, memory), expected_BTD)
        assert not weight_B1TS[1, :, :, 4:].any()


def test_the_effective_number_of_positions_is_between_one_and_all() -> None:
    even = np.full((1, 3, 8), 1 / 8)
    finger = np.eye(8)[None, :3]
    assert spread(even) == pytest.approx([8])
    assert spread(finger) == pytest.approx([1])
    assert spread(np.concatenate((even, finger))) == pytest.approx([8, 1])


@pytest.mark.parametrize("model", ["transformer", "gru"])
def test_translation_queries_are_the_generated_tokens(model: str) -> None:
    config = tiny_config(model, "translation")
    task, network = tiny_task(config), tiny_network(config)
    pictures = attention(task, network, "3 May")
    first = pictures[0]
    example = example_reader(task).example(network, "3 May")
    assert first.data["columns"] == list("3 May")
    scores, weights = (np.array(first.data[name]) for name in ("scores", "weights"))
    high = np.exp(scores - scores.max(-1, keepdims=True))
    np.testing.assert_allclose(high / high.sum(-1, keepdims=True), weights, atol=1e-3)
    assert first.data["rows"] == list(example.predicted)
    assert example.predicted[-1] == "<end>"
    assert example.decoder_tokens[0] == "<start>"
    assert len(example.decoder_tokens) == len(example.predicted)
    if model == "gru":
        assert len(pictures) == 1
        return
    by_module = {picture.data["module"]: picture.data for picture in pictures}
    assert by_module["encoder.blocks.0.attention"]["rows"] == list("3 May")
    assert by_module["decoder.blocks.1.attention"]["columns"] == list(example.decoder_tokens)
    # with the map itself: as many heads, rows and columns
    shape = np.array(by_module["decoder.blocks.0.cross"]["weights"]).shape
    assert shape == (config.tree["model"]["heads"], len(example.predicted), 5)


def test_maps_are_those_of_a_batch_that_is_read_as_in_training() -> None:
    config = tiny_config("transformer", "char_lm")
    task, network = tiny_task(config), tiny_network(config)
    example = example_reader(task).example(network, "The quick")
    found = maps(network, example.batch)
    assert list(found) == [f"decoder.blocks.{layer}.attention" for layer in range(2)]
    calls = calls_of(network, example.batch, Attention)
    seen = found["decoder.blocks.1.attention"]
    module = seen.module
    assert isinstance(module, SelfAttention)
    x_BTD = calls["decoder.blocks.1.attention"].arguments[0]
    value_BNSK = module._project(x_BTD, None)[2]
    said = module.output(_join(torch.tensor(seen.weight_BNTS).float() @ value_BNSK))
    torch.testing.assert_close(said, calls["decoder.blocks.1.attention"].outcome, rtol=1e-4, atol=1e-6)


def test_a_network_without_attention_has_no_pictures() -> None:
    config = tiny_config("gru", "translation", "model.attention=none")
    assert attention(tiny_task(config), tiny_network(config), "3 May") == []
    assert attentive(config.model, tiny_task(config)) == ["additive", "dot"]
    for model, task in (("gru", "char_lm"), ("transformer", "translation")):  # without a source; without the setting
        other = tiny_config(model, task)
        assert attentive(other.model, tiny_task(other)) == []
