"""The regressor's dropout is that of its family."""

from __future__ import annotations

import pytest
import torch

from seqlab.networks.regressor import Regressor
from tests.conftest import MODELS, TASKS, tiny_config


@pytest.mark.parametrize("model", MODELS)
def test_features_are_dropped_as_the_family_drops_them(model: str) -> None:
    """At each step anew only where the family does so: a recurrent state would average such noise away."""
    config = tiny_config(model, TASKS[0], "model.dropout=0.5").model
    network, ones_BTD = Regressor(2, 1, config).train(), torch.ones(4, 30, config.width)
    torch.manual_seed(0)
    dropped_BTD = network.dropout(ones_BTD)
    torch.manual_seed(0)
    assert torch.equal(dropped_BTD, config.dropout_layer().train()(ones_BTD))
