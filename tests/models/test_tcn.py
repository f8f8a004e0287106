"""The temporal convolutional network: equality with torch's convolutions, and its receptive field."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.core.model import Memory, Role, SequenceModel
from seqlab.core.state import detach
from seqlab.models.tcn import TCNConfig, TemporalBlock
from tests.conftest import tiny_config

B, D = 3, 16


def _model(*overrides: str) -> tuple[SequenceModel, TCNConfig]:
    torch.manual_seed(0)
    config = tiny_config("tcn", "char_lm", *overrides).model
    assert isinstance(config, TCNConfig)
    model = config.build(Role.DECODER).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model, config


def test_it_equals_torchs_convolutions_with_left_padding() -> None:
    """Blocks, weight normalisation and dilations written out."""
    model, _ = _model("model.layers=3", "model.kernel=3")
    x_BTD, weight = torch.randn(B, 20, D), dict(model.named_parameters())
    y_BDT = x_BTD.mT
    for block in range(3):
        branch_BDT = y_BDT
        for name in ("first", "second"):
            g, v, b = (
                weight[f"kernels.{block}.{name}.convolution.{part}"]
                for part in ("parametrizations.weight.original0", "parametrizations.weight.original1", "bias")
            )
            W_DDK = g * v / v.square().sum((1, 2), keepdim=True).sqrt()
            branch_BDT = F.relu(F.conv1d(F.pad(branch_BDT, (2 * 2**block, 0)), W_DDK, b, dilation=2**block))
        y_BDT = F.relu(y_BDT + branch_BDT)
    torch.testing.assert_close(model(x_BTD, model.initial_state(B))[0], y_BDT.mT, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("layers", "kernel", "seen"), [(1, 2, 3), (2, 3, 13), (3, 2, 15)])
@pytest.mark.parametrize("role", list(Role))
def test_its_receptive_field_is_as_stated(role: Role, layers: int, kernel: int, seen: int) -> None:
    _, config = _model(f"model.layers={layers}", f"model.kernel={kernel}")
    model = config.build(role).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    assert model.receptive_field == seen
    x_BTD, source_BSD = torch.randn(B, 48, D, requires_grad=True), torch.randn(B, 5, D)
    memory = Memory(source_BSD, torch.ones(B, 5, dtype=torch.bool), source_BSD[:, -1])
    y_BTD, _ = model(x_BTD, model.initial_state(B), memory=memory if role is Role.CROSS_DECODER else None)
    (gradient_BTD,) = torch.autograd.grad(y_BTD[:, 24].sum(), x_BTD)
    size_T = gradient_BTD.abs().sum((0, 2))
    ahead = seen if role is Role.ENCODER else 1
    assert bool((size_T[24 - seen + 1 : 24 + ahead] > 0).all())
    assert bool((size_T[: 24 - seen + 1] == 0).all())
    assert bool((size_T[24 + ahead :] == 0).all())


@torch.no_grad()
def test_windows_shorter_and_longer_than_the_receptive_field_equal_the_whole() -> None:
    model, _ = _model("model.layers=2", "model.kernel=3")
    x_BTD, state, parts = torch.randn(B, 40, D), model.initial_state(B), list[Tensor]()
    whole_BTD, _ = model(x_BTD, state)
    for piece_BTD in x_BTD.split([1, 4, 25, 10], 1):
        y_BTD, state = model(piece_BTD, detach(state))
        parts.append(y_BTD)
    torch.testing.assert_close(torch.cat(parts, 1), whole_BTD, rtol=1e-4, atol=1e-5)


def test_dropout_is_of_whole_features_over_time() -> None:
    """A constant input gives a constant output from where the receptive field no longer reaches the zero padding."""
    block = TemporalBlock(D, kernel=3, dilation=1, dropout=0.5).train()
    x_BTD = torch.randn(B, 1, D).expand(-1, 12, -1)
    y_BTD, _ = block(x_BTD, block.initial_state(B))
    torch.testing.assert_close(y_BTD[:, 4:], y_BTD[:, -1:].expand(-1, 8, -1))
    other_BTD, _ = block(x_BTD, block.initial_state(B))
    assert not torch.allclose(y_BTD, other_BTD)
