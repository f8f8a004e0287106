"""The best sequence that a network writes for each row: greedily, or with beam search."""

from __future__ import annotations

import torch
from torch import Tensor

from seqlab.core.batch import BatchT
from seqlab.core.network import GeneratingNetwork, Network
from seqlab.core.prediction import GenerationConfig
from seqlab.data.vocabulary import Vocabulary
from seqlab.decoding.beam import beam_search
from seqlab.decoding.sampling import greedy

_GREEDY = GenerationConfig()


def best_sequence(
    network: Network[BatchT], batch: BatchT, length: int, generation: GenerationConfig = _GREEDY
) -> Tensor:
    """The tokens for each row of the batch, (B, T <= length), each row up to its end. Uses `beams` and `length_penalty`
    of `generation`."""
    if not isinstance(network, GeneratingNetwork):
        raise TypeError("a network that can write is needed")
    device = next(network.parameters()).device
    batch, first_B = batch.to(device), torch.full((batch.size,), network.alphabet.start, device=device)
    if generation.beams == 1:
        return greedy(network, batch, first_B, length)
    return beam_search(network, batch, first_B, length, generation.beams, generation.length_penalty)


def best_texts(
    vocabulary: Vocabulary,
    length: int,
    network: Network[BatchT],
    batch: BatchT,
    generation: GenerationConfig = _GREEDY,
    *,
    separator: str = " ",
) -> list[str]:
    """The same as texts, the tokens of each joined by the separator."""
    written_BT = best_sequence(network, batch, length, generation)
    return [separator.join(vocabulary.decode(row)) for row in written_BT.tolist()]
