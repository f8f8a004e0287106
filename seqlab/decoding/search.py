"""The best sequence that a network writes for each row: greedily, or of some beams."""

from __future__ import annotations

import torch
from torch import Tensor

from seqlab.core.batch import BatchT
from seqlab.core.network import GeneratingNetwork, Network
from seqlab.decoding.beam import beam_search
from seqlab.decoding.sampling import greedy


def best_sequence(
    network: Network[BatchT], batch: BatchT, length: int, beams: int = 1, length_penalty: float = 0.0
) -> Tensor:
    """(B, T <= length) tokens for each row of the batch, each row up to its end."""
    if not isinstance(network, GeneratingNetwork):
        raise TypeError("a network that can write is needed")
    device = next(network.parameters()).device
    first_B = torch.full((batch.size,), network.alphabet.start, device=device)
    if beams == 1:
        return greedy(network, batch, first_B, length)
    return beam_search(network, batch, first_B, length, beams, length_penalty)
