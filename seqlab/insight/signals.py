"""The signals of a sequence model while its network reads a text: hidden units, gates, and others that it names.

T positions, H values of a signal at each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from seqlab.core.example import Example
from seqlab.core.model import SequenceModel
from seqlab.core.network import Network, evaluating
from seqlab.errors import ConfigError
from seqlab.insight.watching import calls_of, check_finite
from seqlab.metrics import Floats


@dataclass(frozen=True)
class Signals:
    """Signals of one model over a text, (T, H) each. module: its dotted name. hidden_TH: its hidden units; others: its
    other signals, by name and in its order. meanings: what some of these say, as its family states it."""

    module: str
    hidden_TH: Floats
    others: dict[str, Floats]
    meanings: dict[str, str]


def signals_of(network: Network[Any], example: Example[Any]) -> Signals:
    """The signals of the first sequence model that the network calls. Raises ConfigError if there is none."""
    calls = calls_of(network, example.batch, SequenceModel)
    # a wrapper whose `encode` does not use its `forward` is not called as a module, but its parts are
    name = next((name for name, _ in network.named_modules() if name in calls), None)
    if name is None:
        raise ConfigError("it calls no sequence model while it reads")
    call = calls[name]
    with evaluating(network), torch.no_grad():
        tensors = call.module.signals(*call.arguments, **call.keywords)
    found = {signal: np.asarray(value[0].flatten(1).cpu().double()) for signal, value in _with_units(tensors).items()}
    hidden_TH = found.pop("hidden", None)
    if hidden_TH is None:
        raise ConfigError(f"{name} gives no signal called hidden", "let its method signals return one by that name")
    for signal, value_TH in (("hidden units", hidden_TH), *found.items()):
        check_finite(value_TH, f"the {signal} of {name}")
        if len(value_TH) != len(hidden_TH):
            raise ConfigError(
                f"the signal {signal} of {name} has {len(value_TH)} positions, and hidden has {len(hidden_TH)}",
                "let its method signals give tensors of shape (B, T, ...)",
            )
    meanings: dict[str, str] = {}
    for part in call.module.modules():
        meanings |= part.meanings if isinstance(part, SequenceModel) else {}
    return Signals(name, hidden_TH, found, meanings)


def _with_units(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same with at least one value a position: (B, T) becomes (B, T, 1)."""
    return {name: value[..., None] if value.dim() == 2 else value for name, value in tensors.items()}
