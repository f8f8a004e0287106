"""Metrics of a network's probabilities: loss, bits and perplexity; running text is judged block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seqlab.core.items import ItemSums
from seqlab.core.meter import Meter
from seqlab.core.metric import Metric
from seqlab.core.network import Network, StepOutput
from seqlab.data.batches import UNSCORED, TokenBatch
from seqlab.data.vocabulary import UNKNOWN
from seqlab.data.words import NAMES, SEPARATOR, Unit
from seqlab.metrics import gather

_SHORTEST_BLOCK = 1000  # tokens; shorter ones are far from independent of their neighbours
_MOST_BLOCKS = 25  # long blocks, since text also changes over pages; 25 are enough for a variance


def loss_and_perplexity(nats: float, targets: int, target: str) -> dict[str, Metric]:
    """Loss and perplexity of `nats` summed over `targets`, each of which is a `target` ("token", say)."""
    mean = nats / max(targets, 1)
    return {
        "loss": Metric(mean, f"nats/{target}", higher_is_better=False, lowest=0.0),
        "perplexity": Metric(math.exp(min(mean, 700.0)), "", higher_is_better=False, lowest=1.0),
    }


def running_text_metrics(nats: float, tokens: int, unit: Unit) -> dict[str, Metric]:
    """Bits per token, loss and perplexity of `nats` summed over `tokens` of running text."""
    bits = Metric(nats / max(tokens, 1) / math.log(2), f"bits/{unit}", higher_is_better=False, lowest=0.0)
    return {bits_name(unit): bits, **loss_and_perplexity(nats, tokens, unit)}


def bits_name(unit: Unit) -> str:
    """The metric's name: bits_per_character or bits_per_word."""
    return f"bits_per_{NAMES[unit].removesuffix('s')}"


def block_length(tokens: int) -> int:
    """The length of the blocks by which a split of `tokens` tokens is judged, whatever network reads it."""
    return max(_SHORTEST_BLOCK, tokens // _MOST_BLOCKS)


class RunningTextMeter(Meter[TokenBatch]):
    """Nats over every scored token of a split of `length` tokens. An item is a block of running text, because the
    losses of neighbouring tokens are not independent.

    tokens: the vocabulary, for the texts of `items`.
    """

    def __init__(self, tokens: Sequence[str], length: int, unit: Unit = "char") -> None:
        self.tokens, self.unit, self.primary = tokens, unit, bits_name(unit)
        self.block = block_length(length)
        self.blocks = max(1, length // self.block)  # the last one also has what is left over
        self.nats: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.starts: list[Tensor | None] = []

    def update(self, batch: TokenBatch, output: StepOutput, network: Network[TokenBatch]) -> None:
        logits_BVT = output.logits.float().mT
        self.nats.append(F.cross_entropy(logits_BVT, batch.targets_BT, ignore_index=UNSCORED, reduction="none"))
        self.targets.append(batch.targets_BT)
        self.starts.append(batch.starts_B)

    def compute(self) -> dict[str, Metric]:
        scored = sum((targets_BT != UNSCORED).sum() for targets_BT in self.targets)
        nats = float(gather([nats_BT.flatten() for nats_BT in self.nats]).sum())
        return running_text_metrics(nats, int(scored), self.unit)

    def item_sums(self) -> ItemSums | None:
        sums_N2 = np.zeros((self.blocks, 2))
        for nats_BT, targets_BT, starts_B in zip(self.nats, self.targets, self.starts, strict=True):
            if starts_B is None:
                return None
            places_BT = starts_B[:, None] + torch.arange(nats_BT.shape[1], device=starts_B.device)
            scored_BT = targets_BT != UNSCORED
            blocks = (places_BT[scored_BT] // self.block).clamp(max=self.blocks - 1).cpu().numpy()
            nats = gather([nats_BT[scored_BT]])
            sums_N2 += np.stack([np.bincount(blocks, weights, self.blocks) for weights in (nats, None)], 1)
        read_N2 = sums_N2[sums_N2[:, 1] > 0]
        return ItemSums(read_N2, lambda sums: float(sums[0] / sums[1] / math.log(2)))

    def items(self) -> Iterator[dict[str, Any]]:
        """Windows of text (rows of the batches), stream by stream. U+FFFD stands for an unknown token."""
        joint = SEPARATOR[self.unit]
        streams = max((len(nats_BT) for nats_BT in self.nats), default=0)
        for stream_index in range(streams):
            for batch_index, (nats_BT, targets_BT) in enumerate(zip(self.nats, self.targets, strict=True)):
                scored = [token for token in targets_BT[stream_index].tolist() if token != UNSCORED]
                if not scored:
                    continue
                nats = float(nats_BT[stream_index].sum())
                yield {
                    "stream": stream_index,
                    "window": batch_index,
                    NAMES[self.unit]: len(scored),
                    "nats": nats,
                    self.primary: nats / len(scored) / math.log(2),
                    "text": joint.join("\ufffd" if token == UNKNOWN else self.tokens[token] for token in scored),
                }
