"""How many positions training reaches. A model is never evaluated, inspected or used for generation at positions that
it could not have been trained on, where it has learned nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from seqlab.core.model import ModelConfig, SequenceModel, sequence_models
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.errors import ConfigError


def _limited(network: nn.Module) -> Iterator[tuple[str, SequenceModel, int]]:
    """(dotted name, model, context) of each sequence model with a limited context."""
    for name, module in network.named_modules():
        if isinstance(module, SequenceModel) and module.context is not None:
            yield name, module, module.context


def reached(task: Task[Any], part: str, bptt_steps: int | None) -> int:
    """The most positions that the sequence model of this dotted name reads at once in training."""
    positions = task.trained_positions(part)
    return positions if bptt_steps is None else min(positions, bptt_steps)


def narrow(network: Network[Any], task: Task[Any], bptt_steps: int | None) -> None:
    """Shorten the context of each sequence model to what training reaches, so that evaluation goes no further."""
    for name, model, context in _limited(network):
        model.context = min(context, reached(task, name, bptt_steps))


def check_context(network: Network[Any], task: Task[Any], bptt_steps: int | None) -> None:
    """Raise ConfigError where a sequence model cannot read what training would give it."""
    for name, _, context in _limited(network):
        if context < (needed := reached(task, name, bptt_steps)):
            raise ConfigError(
                f"model.context={context} is too short for the longest sequence, {needed} positions",
                f"try model.context={needed}",
            )


def shortened(network: Network[Any], task: Task[Any], model: ModelConfig) -> Iterator[str]:
    """A note for each sequence model that reads fewer positions at once than the longest sequence has, and on outputs
    that depend on fewer than a training sequence has. model: of whose settings the remedy is one."""
    contexts = dict.fromkeys(context for _, _, context in _limited(network) if context < task.longest())
    for context in contexts:
        yield (
            f"training reaches {context} positions at once and sequences have up to {task.longest()}: evaluation, "
            f"samples and pictures look no further than {context}"
        )
    needed: dict[int, int] = {}
    for name, part in sequence_models(network):
        field, positions = part.receptive_field, task.trained_positions(name)
        if field is not None and field < positions:
            needed[field] = max(positions, needed.get(field, 0))
    for field, positions in needed.items():
        remedy = model.reaching(positions)
        yield (
            f"an output depends on {field} positions and training sequences have up to {positions}: what lies further "
            f"away is not seen{f'; {remedy} reaches it' if remedy else ''}"
        )
