"""Locked dropout: one mask a row, the right mean, nothing in evaluation."""

from __future__ import annotations

import torch

from seqlab.layers.dropout import LockedDropout


def test_a_row_keeps_its_mask_at_every_position() -> None:
    torch.manual_seed(0)
    y_BTD = LockedDropout(0.3)(torch.ones(200, 5, 50))
    assert torch.equal(y_BTD, y_BTD[:, :1].expand_as(y_BTD))
    assert {round(v, 4) for v in y_BTD.unique().tolist()} == {0.0, round(1 / 0.7, 4)}
    assert abs(float(y_BTD.mean()) - 1) < 0.03
    assert not torch.equal(y_BTD[0], y_BTD[1])


def test_it_does_nothing_in_evaluation() -> None:
    x_BTD = torch.randn(2, 3, 4)
    assert LockedDropout(0.3).eval()(x_BTD) is x_BTD
    assert LockedDropout(0.0)(x_BTD) is x_BTD
