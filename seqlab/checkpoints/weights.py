"""The weights of a network by name, checked before they are loaded."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from seqlab.errors import CheckpointError


def network_tensors(network: nn.Module) -> dict[str, Tensor]:
    """The weights and buffers of a network by name; a tied weight appears once."""
    every = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    once = {name for name, _ in network.named_parameters()}
    again = {name for name in every if name not in once}
    return {name: tensor for name, tensor in network.state_dict().items() if name not in again}


def check_weights(network: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Raise CheckpointError, naming what does not fit, unless `tensors` fit the network."""
    own = network_tensors(network)
    if own.keys() != tensors.keys():
        different = ", ".join(sorted(own.keys() ^ tensors.keys())[:3])
        raise CheckpointError(f"the weights of {source} are of another network: {different}")
    for name, tensor in own.items():
        if tensor.shape != tensors[name].shape or tensor.dtype != tensors[name].dtype:
            raise CheckpointError(
                f"the weights of {source} do not fit: {name} is {_kind(tensors[name])} there and {_kind(tensor)} here",
                "model, task and corpus must be the same",
            )


def load_network(network: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Copy weights into a network. Raises CheckpointError, naming what does not fit, before anything is changed."""
    check_weights(network, tensors, source)
    with torch.no_grad():
        for name, tensor in network_tensors(network).items():
            tensor.copy_(tensors[name])


def _kind(tensor: Tensor) -> str:
    dtype = "" if tensor.dtype == torch.float32 else f" {str(tensor.dtype).removeprefix('torch.')}"
    return f"{tuple(tensor.shape)}{dtype}"
