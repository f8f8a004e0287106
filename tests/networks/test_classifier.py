"""What a classifier refuses."""

from __future__ import annotations

import pytest

from seqlab.errors import ConfigError
from seqlab.networks.classifier import Classifier
from tests.conftest import tiny_config


@pytest.mark.parametrize(
    ("model", "bidirectional", "reason"),
    [("lstm", True, "reads each text from its end"), ("transformer", False, "carries nothing"), ("lstm", False, None)],
)
def test_labels_of_whole_texts_can_be_learned_in_windows_only_with_a_state(
    model: str, bidirectional: bool, reason: str | None
) -> None:
    """Checked by the default of every task, so that custom tasks refuse it too."""
    network = Classifier(9, 2, tiny_config(model, "sentiment").model, pooling="last", bidirectional=bidirectional)
    if reason is None:
        network.check_windows(4)
    else:
        with pytest.raises(ConfigError, match=reason):
            network.check_windows(4)
