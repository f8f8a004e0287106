"""The view of transcripts: each character stands where the likeliest path begins to write it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from seqlab.core.alignment import AlignmentSource, alignment_source
from seqlab.core.network import StepOutput
from seqlab.core.offers import offers
from seqlab.errors import ConfigError
from seqlab.insight.alignment import alignment
from tests.conftest import TASKS, tiny_config, tiny_network, tiny_task

TRANSCRIBING = [task for task in TASKS if offers(tiny_task(tiny_config("gru", task)), AlignmentSource)]


@pytest.mark.parametrize("name", TRANSCRIBING)
def test_each_character_is_named_where_the_path_writes_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config("gru", name)
    task, network = tiny_task(config), tiny_network(config)
    read = alignment_source(task).alignment(network, "validation:1")
    positions, symbols = read.probability_PS.shape
    path = [0] * positions
    path[2:4], path[5], path[6], path[8] = [1, 1], 1, 2, 3  # a repetition, and the same after a blank

    def forward(*_: Any) -> StepOutput:
        logits_BTV = 9.0 * torch.nn.functional.one_hot(torch.tensor([path]), symbols)
        return StepOutput(torch.tensor(0.0), (), logits_BTV)

    monkeypatch.setattr(network, "forward", forward)
    found = alignment_source(task).alignment(network, "validation:1")
    assert [tuple(pair) for pair in found.written] == [(2, 1), (5, 1), (6, 2), (8, 3)]
    assert found.text == "".join(found.symbols[symbol] for symbol in (1, 1, 2, 3))
    assert -(-len(found.spectrum_TF) * found.frame_seconds // found.position_seconds) == positions
    assert list(found.hertz_F) == sorted(found.hertz_F)
    (picture,) = alignment(task, network, "validation:1")
    assert picture.data["text"] == found.text
    assert picture.data["target"] == found.target
    assert picture.data["seconds"] == pytest.approx([place * found.position_seconds for place in (2, 5, 6, 8)])
    above, below = picture.figure().axes
    assert [text.get_text() for text in above.texts] == list(found.text)
    assert np.asarray(above.get_images()[0].get_array()).shape == found.spectrum_TF.T.shape
    assert len(below.lines) == 1 + 3


def test_weights_that_diverged_and_other_tasks_are_told() -> None:
    config = tiny_config("gru", TRANSCRIBING[0])
    network = tiny_network(config)
    next(network.parameters()).data.fill_(float("nan"))
    with pytest.raises(ConfigError, match="not finite"):
        alignment(tiny_task(config), network, "validation:1")
    other = tiny_config("gru", next(task for task in TASKS if task not in TRANSCRIBING))
    with pytest.raises(ConfigError, match="transcribes no recordings"):
        alignment(tiny_task(other), network, None)
