"""The residual stack against its sum, written out; it is stepped and looked into through its mixers."""

from __future__ import annotations

import pytest
import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.core.model import Memory, Role, SequenceModel, Step
from seqlab.core.state import State
from seqlab.layers.residual import ResidualBlock, ResidualConfig
from seqlab.layers.scan import scan_stepwise

B, T, D = 2, 5, 6


class _Sum(SequenceModel):
    """A running mean with a decay of a half."""

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return torch.zeros(rows, D)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        assert isinstance(state, Tensor)
        y_BTD = scan_stepwise(torch.full_like(x_BTD, 0.5), x_BTD, state)
        return y_BTD, y_BTD[:, -1]

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        assert inputs_VD is None  # a mixer reads what is normalised

        def step(x_BD: Tensor, state: State, _: Memory | None = None) -> tuple[Tensor, State]:
            assert isinstance(state, Tensor)
            return 0.5 * state + x_BD, 0.5 * state + x_BD

        return step


@dataclass(frozen=True, kw_only=True)
class _Config(ResidualConfig):
    def mixers(self) -> list[SequenceModel]:
        return [_Sum() for _ in range(self.layers)]


def _config(feed_forward: int | None, dropout: float = 0.0) -> _Config:
    return _Config(width=D, dropout=dropout, tie_embeddings=False, layers=2, feed_forward=feed_forward, attention="dot")


def _made(feed_forward: int | None) -> SequenceModel:
    torch.manual_seed(0)
    model = _config(feed_forward).build(Role.DECODER).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


def _norm(x_BTD: Tensor, norm: nn.Module) -> Tensor:
    return F.layer_norm(x_BTD, (D,), norm.get_parameter("weight"), norm.get_parameter("bias"))


@pytest.mark.parametrize("feed_forward", [None, 7])
@torch.no_grad()
def test_each_part_adds_to_what_it_reads_normalised(feed_forward: int | None) -> None:
    model, x_BTD, before = _made(feed_forward), torch.randn(B, T, D), (torch.randn(B, D), torch.randn(B, D))
    y_BTD, after = model(x_BTD, before)
    blocks = [module for module in model.modules() if isinstance(module, ResidualBlock)]
    for block, h_BD, last in zip(blocks, before, after, strict=True):
        mixed_BTD, expected = block.mixer(_norm(x_BTD, block.norm), h_BD)
        torch.testing.assert_close(last, expected)
        x_BTD = x_BTD + mixed_BTD
        if feed_forward is not None:
            assert block.feed_forward is not None
            norm, widen, _, narrow = block.feed_forward
            assert widen.weight.shape == (feed_forward, D)
            x_BTD = x_BTD + narrow(F.gelu(widen(_norm(x_BTD, norm))))
    torch.testing.assert_close(y_BTD, _norm(x_BTD, [m for m in model.modules() if isinstance(m, nn.LayerNorm)][-1]))


@pytest.mark.parametrize("feed_forward", [None, 7])
@torch.no_grad()
def test_single_steps_use_those_of_the_mixers(feed_forward: int | None) -> None:
    model, table_VD, token_TB = _made(feed_forward), torch.randn(9, D), torch.randint(9, (T, B))
    expected_BTD, _ = model(table_VD[token_TB.T], model.initial_state(B))
    step, state = model.start(table_VD), model.initial_state(B)
    for t, token_B in enumerate(token_TB):
        y_BD, state = step(token_B, state)
        torch.testing.assert_close(y_BD, expected_BTD[:, t], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_signals_are_those_of_the_last_mixer() -> None:
    model, x_BTD = _made(7), torch.randn(B, T, D)
    first, last = (module for module in model.modules() if isinstance(module, ResidualBlock))
    read_BTD, _ = first(x_BTD, torch.zeros(B, D))
    expected_BTD, _ = last.mixer(last.norm(read_BTD), torch.zeros(B, D))
    torch.testing.assert_close(model.signals(x_BTD, model.initial_state(B))["hidden"], expected_BTD)


def test_dropout_is_on_the_branches_and_not_on_the_residual_path() -> None:
    config = _config(None, dropout=0.5)
    torch.manual_seed(0)
    block, x_BTD = ResidualBlock(config, _Sum()).train(), torch.randn(40, T, D)
    added_BTD = block(x_BTD, torch.zeros(40, D))[0] - x_BTD
    dropped_BTD = added_BTD.abs() < 1e-6
    assert 0.3 < float(dropped_BTD.float().mean()) < 0.7
    assert torch.equal(dropped_BTD, dropped_BTD[:, :1].expand_as(dropped_BTD))  # whole features of a row


def test_another_width_keeps_the_proportion_of_the_feed_forward_network() -> None:
    assert [c.feed_forward for c in _config(12).at_width(10)] == [20]
    assert [(c.width, c.feed_forward) for c in _config(None).at_width(10)] == [(10, None)]
