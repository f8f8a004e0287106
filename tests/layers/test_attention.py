"""Attention against its formula, and positions against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from seqlab.core.model import Memory, Role
from seqlab.layers.attention import (
    AdditiveAttention,
    CrossAttention,
    DotAttention,
    SelfAttention,
    attention_formula,
)
from seqlab.layers.embedding import TokenEmbedding, token_head
from seqlab.layers.positions import rotate, rotations, sinusoids
from seqlab.layers.roles import Bidirectional, fill_role
from tests.conftest import tiny_config

B, T, S, D, N = 2, 5, 7, 16, 4


def _heads(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(*x.shape[:2], N, D // N).transpose(1, 2)


@pytest.mark.parametrize("causal", [True, False])
def test_self_attention_is_the_formula(causal: bool) -> None:
    torch.manual_seed(0)
    attention, x_BTD = SelfAttention(D, N, 0.0, causal=causal), torch.randn(B, T, D)
    valid_BT = torch.tensor([[True] * T, [True, True, False, False, False]])
    query, key, value = (_heads(part) for part in attention.query_key_value(x_BTD).split(D, -1))
    visible = torch.ones(T, T).tril().bool() if causal else valid_BT[:, None, None, :]
    expected_BNTK = attention_formula(query, key, value, visible)
    y_BTD = attention(x_BTD, (), 0, None, valid_BT)
    torch.testing.assert_close(y_BTD, attention.output(expected_BNTK.transpose(1, 2).reshape(B, T, D)))


def test_cross_attention_is_the_formula() -> None:
    torch.manual_seed(0)
    attention, x_BTD, source_BSD = CrossAttention(D, N, 0.0), torch.randn(B, T, D), torch.randn(B, S, D)
    valid_BS = torch.arange(S) < torch.tensor([[S], [2]])
    read = attention.keys_values(Memory(source_BSD, valid_BS, source_BSD[:, 0]))
    expected_BNTK = attention_formula(_heads(attention.query(x_BTD)), *read, visible=valid_BS[:, None, None, :])
    y_BTD = attention(x_BTD, read, valid_BS)
    torch.testing.assert_close(y_BTD, attention.output(expected_BNTK.transpose(1, 2).reshape(B, T, D)))


@pytest.mark.parametrize("causal", [True, False])
def test_attention_in_bf16_equals_fp32_rounded(causal: bool) -> None:
    """On a CPU it is computed differently: same values, same gradients, nothing from the future or from padding."""
    torch.manual_seed(0)
    attention, x_BTD = SelfAttention(D, N, 0.0, causal=causal), torch.randn(B, T, D)
    valid_BT = torch.tensor([[True] * T, [True, True, False, False, False]])
    results = []
    for bf16 in (False, True):
        given_BTD = x_BTD.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            y_BTD = attention(given_BTD, (), 0, None, valid_BT)
        assert y_BTD.dtype == (torch.bfloat16 if bf16 else torch.float32)
        gradients = torch.autograd.grad(y_BTD[:, 1].float().sum(), [given_BTD, *attention.parameters()])
        results.append((y_BTD.float(), *gradients))
        unseen_BTD = gradients[0][:, 2:] if causal else gradients[0][1, 2:]
        assert unseen_BTD.abs().max() == 0
    for exact, rounded in zip(*results, strict=True):
        torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.02)


def test_dropped_attention_weights_are_scaled_up() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(B, N, T, D // N) for _ in range(3))
    whole = attention_formula(query, key, value)
    thinned = torch.stack([attention_formula(query, key, value, dropout=0.5) for _ in range(2000)])
    assert not torch.allclose(thinned[0], whole)
    torch.testing.assert_close(thinned.mean(0), whole, rtol=0.1, atol=0.1)


def test_the_scores_of_recurrent_attention_are_those_of_the_papers() -> None:
    torch.manual_seed(0)
    query_BTD, values_BSD = torch.randn(B, T, D), torch.randn(B, S, D)
    dot, additive = DotAttention(D), AdditiveAttention(D)
    additive_BTS = additive.score(query_BTD, values_BSD)
    for b in range(B):
        for t in range(T):
            for s in range(S):
                h_t, h_s = query_BTD[b, t], values_BSD[b, s]
                torch.testing.assert_close(dot.score(query_BTD, values_BSD)[b, t, s], h_t @ h_s / D**0.5)
                energy = (additive.query(h_t) + additive.key(h_s)).tanh()
                torch.testing.assert_close(additive_BTS[b, t, s], additive.energy.weight[0] @ energy)


@pytest.mark.parametrize("kind", [DotAttention, AdditiveAttention])
def test_recurrent_attention_weighs_valid_positions_only(
    kind: type[DotAttention] | type[AdditiveAttention],
) -> None:
    values_BSD, valid_BS = torch.randn(B, S, D), torch.arange(S) < torch.tensor([[S], [3]])
    weight_BTS = kind(D).weights(torch.randn(B, T, D), Memory(values_BSD, valid_BS, values_BSD[:, 0]))[:, 0]
    torch.testing.assert_close(weight_BTS.sum(-1), torch.ones(B, T))
    assert weight_BTS[1, :, 3:].abs().max() == 0


def test_sinusoids_are_those_of_the_paper() -> None:
    table_TD = sinusoids(50, 10)
    for position, i in [(0, 0), (1, 0), (7, 2), (49, 4)]:
        angle = position / 10000 ** (2 * i / 10)
        assert float(table_TD[position, 2 * i]) == pytest.approx(math.sin(angle), abs=1e-5)
        assert float(table_TD[position, 2 * i + 1]) == pytest.approx(math.cos(angle), abs=1e-5)


def test_rotary_products_depend_on_distance_alone() -> None:
    torch.manual_seed(0)
    turn_TK, query_K, key_K = rotations(40, 8), torch.randn(8), torch.randn(8)

    def product(query_at: int, key_at: int) -> float:
        return float(rotate(query_K, turn_TK[query_at]) @ rotate(key_K, turn_TK[key_at]))

    assert product(3, 1) == pytest.approx(product(30, 28), abs=1e-4)
    assert product(3, 1) != pytest.approx(product(3, 2), abs=1e-3)
    torch.testing.assert_close(rotate(query_K, turn_TK[9]).norm(), query_K.norm())


def test_a_tied_head_shares_its_weight() -> None:
    embedding = TokenEmbedding(11, D)
    assert token_head(embedding, tied=True).weight is embedding.weight
    assert token_head(embedding, tied=False).weight is not embedding.weight
    assert embedding(torch.arange(11)).var().item() == pytest.approx(1.0, rel=0.4)


def test_two_directions_mirror_each_other() -> None:
    """With swapped halves, a reversed sequence gives the same vectors in reverse."""
    torch.manual_seed(0)
    encoder = tiny_config("gru", "char_lm").model.build(Role.ENCODER)
    assert isinstance(encoder, Bidirectional)
    swapped = fill_role(lambda: tiny_config("gru", "char_lm").model.build(Role.DECODER), Role.ENCODER, D)
    assert isinstance(swapped, Bidirectional)
    swapped.ahead, swapped.back = encoder.back, encoder.ahead
    assert isinstance(swapped.merge, nn.Linear)
    with torch.no_grad():
        first, second = encoder.merge.weight.chunk(2, 1)
        swapped.merge.weight.copy_(torch.cat((second, first), 1))
        swapped.merge.bias.copy_(encoder.merge.bias)
    x_BTD = torch.randn(B, T, D)
    y_BTD, _ = encoder(x_BTD, ())
    z_BTD, _ = swapped(x_BTD.flip(1), ())
    torch.testing.assert_close(z_BTD.flip(1), y_BTD, rtol=1e-4, atol=1e-5)
