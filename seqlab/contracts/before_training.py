"""The quick round: what is looked at before any model is trained on any task, in a fraction of a second."""

from __future__ import annotations

from typing import Any

from seqlab.contracts.built import build, undisturbed
from seqlab.contracts.causality import check_causality
from seqlab.interfaces import ModelConfig, Task


def check_before_training(task: Task[Any], model: ModelConfig, name: str) -> None:
    """Raise ConfigError, with the remedy, where a promise is broken. `name`: of the model, as the user chose it.

    On a network of its own, on the CPU in fp32: what is trained afterwards, its weights and every generator, is as if
    nothing had been looked at.
    """
    with undisturbed():
        _, models = build(task, model, name)
        for built in models:
            check_causality(built)
