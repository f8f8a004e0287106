"""What a network reaches on batches: the loop of every evaluation."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from seqlab.interfaces import BatchT, Meter, Network, State, evaluating
from seqlab.training.device import Device


def evaluate(
    network: Network[BatchT], batches: Iterable[BatchT], meter: Meter[BatchT], device: Device
) -> Meter[BatchT]:
    """`meter`, having taken in what the network says of the batches, in their order and with a state of their own."""
    state: State = ()
    with evaluating(network), torch.inference_mode():
        for window in batches:
            batch = window.to(device.torch_device)
            state = state if window.continues else network.initial_state(window.size)
            with device.autocast():
                output = network(batch, state)
                meter.update(batch, output, network)
            state = output.state
    return meter
