"""The evaluation loop, and validation during training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch

from seqlab.core.batch import BatchT
from seqlab.core.meter import Meter
from seqlab.core.metric import Metric
from seqlab.core.network import Network, evaluating
from seqlab.core.state import State
from seqlab.core.task import Task
from seqlab.training.device import Device
from seqlab.training.seeds import random_states, set_random_states
from seqlab.training.sharing import Sharing


def evaluate(
    network: Network[BatchT], batches: Iterable[BatchT], meter: Meter[BatchT], device: Device
) -> Meter[BatchT]:
    """Run the network over batches, in order and with a state of their own, and return `meter`, updated with each."""
    state: State = ()
    with evaluating(network), torch.inference_mode():
        for window in batches:
            batch = window.to(device.torch_device)
            state = state if window.continues else network.initial_state(window.size, cached=True)
            with device.autocast():
                output = network(batch, state)
                meter.update(batch, output, network)
            state = output.state
    return meter


class _PutOffError(Exception):
    """A signal came during a validation, which may take minutes: it is left to the resumed run."""


@dataclass(frozen=True)
class Figures:
    """What a validation found: metrics by name, the primary one's name, and the names of those that decide."""

    metrics: dict[str, Metric]
    primary: str
    criterion: tuple[str, ...]


def validate(sharing: Sharing, task: Task[BatchT], device: Device, stopped: Callable[[], bool]) -> Figures | None:
    """Validate without an effect on training; None if it was stopped. sharing: of the network, which all processes
    gather. stopped: is called before each batch.

    Of several processes the first one validates: a meter may keep anything, and its figures are then those of one
    process in every bit."""

    def batches() -> Iterator[BatchT]:
        for batch in task.validation_batches():
            if stopped():
                raise _PutOffError
            yield batch

    def figures() -> Figures | None:
        drawn = random_states(device.name)
        try:
            meter = evaluate(sharing.network, batches(), task.meter("validation"), device)
        except _PutOffError:
            set_random_states(device.name, *drawn)  # a user's own network may draw in evaluation too
            return None
        return Figures(meter.compute(), meter.primary, meter.criterion())

    sharing.gather()
    return device.world.first(figures)
