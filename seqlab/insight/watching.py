"""Watching a network while it reads: what its parts are given, and what they return."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from seqlab.core.batch import Batch
from seqlab.core.example import Example
from seqlab.core.model import SequenceModel, sequence_models
from seqlab.core.network import Network, evaluating
from seqlab.errors import ConfigError, NumericError, printable
from seqlab.metrics import Floats

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def models_in(network: Network[Any]) -> list[SequenceModel]:
    """A network's sequence models, without those inside other sequence models."""
    found = [model for _, model in sequence_models(network)]
    if not found:
        raise ConfigError("this network has no sequence model to inspect")
    return found


@contextmanager
def inputs_of(model: SequenceModel) -> Iterator[list[Tensor]]:
    """The model's input x_BTD at each call within this context, as leaf tensors that receive gradients."""
    given: list[Tensor] = []

    def hold(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        x_BTD, *rest = arguments
        given.append(x_BTD.detach().requires_grad_())
        return (given[-1], *rest)

    handle = model.register_forward_pre_hook(hold)
    try:
        yield given
    finally:
        handle.remove()


@dataclass(frozen=True)
class Call(Generic[ModuleT]):
    """What a module was given, by position and by keyword, and what it returned."""

    module: ModuleT
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    outcome: Any


@torch.no_grad()
def calls_of(network: Network[Any], batch: Batch, kind: type[ModuleT]) -> dict[str, Call[ModuleT]]:
    """The first call of each module of this kind, by its dotted name, while the network reads a batch."""
    found: dict[str, Call[ModuleT]] = {}
    handles = []
    for name, module in network.named_modules():
        if isinstance(module, kind):

            def hold(
                module: ModuleT, arguments: tuple[Any, ...], keywords: dict[str, Any], outcome: Any, name: str = name
            ) -> None:
                found.setdefault(name, Call(module, arguments, keywords, outcome))

            handles.append(module.register_forward_hook(hold, with_kwargs=True))
    try:
        batch = batch.to(next(network.parameters()).device)
        with evaluating(network):
            network(batch, network.initial_state(batch.size))
    finally:
        for handle in handles:
            handle.remove()
    return found


def check_finite(values: Floats, what: str) -> None:
    """Raise NumericError if the values are not finite: a picture of them would be empty or wrong."""
    if not np.isfinite(values).all():
        raise NumericError(f"{what} are not finite", "training has diverged: repeat it with a smaller learning rate")


def truncation(example: Example[Any]) -> str:
    """A sentence on what of the text the network did not read, or ''."""
    if not example.truncated:
        return ""
    return f" The last {example.truncated:,} tokens of the text are not read: training had no texts of that length."


def shown(token: str) -> str:
    """A token as a label, with visible blanks and escaped control characters."""
    return "·" if token == " " else printable(token.replace("\n", "⏎").replace("\t", "⇥"))
