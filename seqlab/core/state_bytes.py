"""What a network must keep of a sequence to go on with it, in bytes."""

from __future__ import annotations

from typing import Any

import torch

from seqlab.core.batch import Batch
from seqlab.core.network import GeneratingNetwork, Network, evaluating
from seqlab.core.state import size_in_bytes
from seqlab.core.task import Task
from seqlab.errors import ConfigError


def longest_sequence(task: Task[Any], device: torch.device) -> Batch:
    """The longest validation sequence, in a batch of its own: batches sorted by length have it at their end."""
    longest: Batch = max(task.batches("validation", 0), key=lambda batch: batch.positions / batch.size)
    return longest.to(device).rows(slice(-1, None))


def state_bytes(network: Network[Any], task: Task[Any]) -> int | None:
    """The bytes that one sequence, the longest of the task, keeps from position to position in evaluation: hidden
    states, an encoder's memory, or a Transformer's cache, which has the keys and values of every layer and also the
    inputs, from which it is made anew when it is full. None for a network that keeps nothing, or that reads a sequence
    only as a whole."""
    try:
        network.check_windows(1)
    except ConfigError:
        return None
    with evaluating(network), torch.inference_mode():
        if isinstance(network, GeneratingNetwork):
            alone = longest_sequence(task, next(network.parameters()).device)
            _, state = network.start(alone, task.longest())
        else:
            state = network.initial_state(1, cached=True)
    return size_in_bytes(state) or None
