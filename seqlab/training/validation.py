"""What a network reaches on batches: the loop of every evaluation, and a validation in the middle of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch

from seqlab.core.batch import BatchT
from seqlab.core.meter import Meter
from seqlab.core.network import Network, evaluating
from seqlab.core.state import State
from seqlab.core.task import Task
from seqlab.training.device import Device
from seqlab.training.seeds import random_states, set_random_states


def evaluate(
    network: Network[BatchT], batches: Iterable[BatchT], meter: Meter[BatchT], device: Device
) -> Meter[BatchT]:
    """`meter`, having taken in what the network says of the batches, in their order and with a state of their own."""
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
    """A signal came during a validation, which may take minutes: the resumed run makes it."""


def validate(
    network: Network[BatchT], task: Task[BatchT], device: Device, stopped: Callable[[], bool]
) -> Meter[BatchT] | None:
    """The task's validation, after which training goes on as if it had not been; None where it was stopped."""

    def batches() -> Iterator[BatchT]:
        for batch in task.validation_batches():
            if stopped():
                raise _PutOffError
            yield batch

    drawn = random_states(device.name)
    try:
        return evaluate(network, batches(), task.meter("validation"), device)
    except _PutOffError:
        set_random_states(device.name, *drawn)  # a user's own network may draw in evaluation too
        return None
