"""The Transformer: positions, context, and a cache for generation of any length."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqlab.core.model import ModelConfig, Role, SequenceModel
from seqlab.errors import ConfigError
from seqlab.layers.embedding import ScaledEmbedding
from seqlab.layers.recurrent import RecurrentConfig
from seqlab.networks.token_lm import TokenLM
from tests.conftest import MODELS, tiny_config, tiny_network

B, D = 2, 16
POSITIONS = ("sinusoidal", "learned", "rope", "none")


def _decoder(*overrides: str) -> SequenceModel:
    torch.manual_seed(0)
    return tiny_config("transformer", "char_lm", *overrides).model.build(Role.DECODER).eval()


@pytest.mark.parametrize("positions", POSITIONS)
def test_order_matters_only_with_positions(positions: str) -> None:
    torch.manual_seed(0)
    encoder = tiny_config("transformer", "char_lm", f"model.positions={positions}").model.build(Role.ENCODER).eval()
    x_BTD = torch.randn(B, 6, D)
    swapped = torch.tensor([1, 0, 2, 3, 4, 5])
    y_BTD, _ = encoder(x_BTD, ())
    z_BTD, _ = encoder(x_BTD[:, swapped], ())
    same = torch.allclose(z_BTD[:, 5], y_BTD[:, 5], atol=1e-5)
    assert same == (positions == "none")


@pytest.mark.parametrize("setting", [*(f"positions={name}" for name in POSITIONS), *(f"conv={n}" for n in (1, 3, 20))])
@torch.no_grad()
def test_a_full_cache_reads_its_last_half_again(setting: str) -> None:
    """Step by step far past the context, each output is that of a fresh read of what the cache still holds."""
    context = 8
    decoder = _decoder(f"model.context={context}", f"model.{setting}")
    x_BTD = torch.randn(B, 27, D)
    state = decoder.initial_state(B, capacity=100)
    start = 0
    for t in range(x_BTD.shape[1]):
        y_BTD, state = decoder(x_BTD[:, t : t + 1], state)
        if t - start == context:
            start = t - context // 2
        expected_BTD, _ = decoder(x_BTD[:, start : t + 1], ())
        torch.testing.assert_close(y_BTD[:, 0], expected_BTD[:, -1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("conv", ["null", "3", "20"])
@torch.no_grad()
def test_pieces_longer_than_the_cache_equal_single_steps(conv: str) -> None:
    decoder = _decoder("model.context=8", f"model.conv={conv}")
    x_BTD = torch.randn(B, 31, D)

    def read(pieces: list[int]) -> Tensor:
        state, parts = decoder.initial_state(B, capacity=8), []
        for piece_BTD in x_BTD.split(pieces, 1):
            y_BTD, state = decoder(piece_BTD, state)
            parts.append(y_BTD)
        return torch.cat(parts, 1)

    torch.testing.assert_close(read([31]), read([1] * 31), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(read([3, 20, 8]), read([1] * 31), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_convolution_adds_to_each_input_those_before_it() -> None:
    """The rest of the network is that of the same weights without it, on inputs that are computed here by hand."""
    decoder, plain = _decoder("model.conv=3"), _decoder()
    assert plain.load_state_dict(decoder.state_dict(), strict=False).missing_keys == []
    weight_DDK = decoder.get_parameter("convolution.convolution.weight")
    bias_D = decoder.get_parameter("convolution.convolution.bias").normal_()
    x_BTD = torch.randn(B, 6, D)
    inputs_BTD = x_BTD + bias_D
    for tap in range(3):
        for t in range(2 - tap, 6):
            inputs_BTD[:, t] += x_BTD[:, t - 2 + tap] @ weight_DDK[:, :, tap].T
    torch.testing.assert_close(decoder(x_BTD, ())[0], plain(inputs_BTD, ())[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("conv", ["null", "3"])
@torch.no_grad()
def test_a_context_of_one_position_can_generate(conv: str) -> None:
    decoder = _decoder("model.context=1", f"model.conv={conv}")
    y_BTD, _ = decoder(torch.randn(B, 3, D), decoder.initial_state(B, capacity=1))
    assert bool(y_BTD.isfinite().all())


def test_a_sequence_longer_than_the_context_is_refused() -> None:
    with pytest.raises(ConfigError, match="a sequence of 9 positions is longer than the 8"):
        _decoder("model.context=8")(torch.randn(B, 9, D), ())


def test_learned_positions_start_and_move_as_token_vectors_do() -> None:
    """Beside vectors of variance 1, positions of std 0.02 are drowned; and those of std 1 hardly move, unless a step of
    Adam is scaled up as that of token vectors is."""
    network = tiny_network(tiny_config("transformer", "char_lm", "model.positions=learned", "model.width=256"))
    assert isinstance(network, TokenLM)
    positions = network.decoder.get_submodule("positions")
    assert isinstance(positions, ScaledEmbedding)
    before = [embedding.table().detach() for embedding in (network.embed, positions)]
    assert before[0].std() == pytest.approx(1.0, rel=0.05)
    assert before[1].std() == pytest.approx(float(before[0].std()), rel=0.05)
    for embedding in (network.embed, positions):
        embedding.weight.grad = torch.randn_like(embedding.weight)
    torch.optim.AdamW([network.embed.weight, positions.weight], lr=1e-3, weight_decay=0.0).step()
    moved = [
        float((embedding.table().detach() - start).abs().mean())
        for embedding, start in zip((network.embed, positions), before, strict=True)
    ]
    assert moved == pytest.approx([1e-3 * 16] * 2, rel=0.01)


@pytest.mark.parametrize("model", MODELS)
def test_recurrent_families_drop_whole_features(model: str) -> None:
    """What carries a state may drop the same features at each step, and our recurrent families do; by default each
    element is dropped by itself."""
    config = tiny_config(model, "char_lm", "model.dropout=0.5").model
    dropped_BTD = config.dropout_layer().train()(torch.ones(4, 30, 16)) == 0
    same = torch.equal(dropped_BTD, dropped_BTD[:, :1].expand_as(dropped_BTD))
    assert same == (type(config).dropout_layer is not ModelConfig.dropout_layer)
    assert same or not isinstance(config, RecurrentConfig)
    assert config.build(Role.DECODER).carries_state() or not same
    assert 0.3 < float(dropped_BTD.float().mean()) < 0.7


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ConfigError, match=r"model.heads=3 must divide model.width=16") as error:
        tiny_config("transformer", "char_lm", "model.heads=3")
    assert error.value.hint == "try model.heads=2"


def test_rope_needs_pairs() -> None:
    with pytest.raises(ConfigError, match="must be even"):
        tiny_config("transformer", "char_lm", "model.positions=rope", "model.width=12", "model.heads=4")
