"""The vectors that tell positions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seqlab.core.model import Role
from seqlab.errors import ConfigError
from seqlab.insight.positions import positions, similarity
from seqlab.layers.positions import sinusoids
from tests.conftest import tiny_config, tiny_network, tiny_task


def test_sinusoids_are_as_similar_as_their_distance_says() -> None:
    width, steps = 32, 40
    frequency = 10000.0 ** (-np.arange(0, width, 2) / width)
    for distance, cosines in enumerate(similarity(sinusoids(steps, width).double().numpy())):
        assert len(cosines) == steps - distance
        np.testing.assert_allclose(cosines, np.cos(distance * frequency).mean(), atol=1e-5)


@pytest.mark.parametrize("kind", ["sinusoidal", "learned", "rope", "none"])
def test_the_vectors_shown_are_those_that_are_added(kind: str) -> None:
    config = tiny_config("transformer", "char_lm", f"model.positions={kind}")
    torch.manual_seed(0)
    model = config.model.build(Role.DECODER)
    added_TD = model.position_vectors(6)
    if kind in ("rope", "none"):
        assert added_TD is None
        with pytest.raises(ConfigError, match="adds no vectors"):
            positions(tiny_task(config), tiny_network(config))
        return
    assert added_TD is not None
    plain = tiny_config("transformer", "char_lm", "model.positions=none").model.build(Role.DECODER)
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("positions")})
    x_BTD = torch.randn(2, 6, config.model.width)
    torch.testing.assert_close(model(x_BTD, ())[0], plain(x_BTD + added_TD, ())[0])
    (picture,) = positions(tiny_task(config), tiny_network(config))
    assert picture.data["similarity"][0] == pytest.approx(1)
