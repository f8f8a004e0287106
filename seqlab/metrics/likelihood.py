"""Metrics of a network's probabilities: loss, bits and perplexity; running text is judged block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
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
from seqlab.data.token_ids import TokenIds, TokenSizes
from seqlab.data.vocabulary import UNKNOWN, Vocabulary
from seqlab.data.words import NAMES, SEPARATOR, Unit
from seqlab.metrics import Floats, gather

_SHORTEST_BLOCK = 1000  # characters; shorter ones are far from independent of their neighbours
_MOST_BLOCKS = 25  # long blocks, since text also changes over pages; 25 are enough for a variance


def loss_and_perplexity(nats: float, targets: int, target: str) -> dict[str, Metric]:
    """Loss and perplexity of `nats` summed over `targets`, each of which is a `target` ("token", say)."""
    mean = nats / max(targets, 1)
    return {
        "loss": Metric(mean, f"nats/{target}", higher_is_better=False, lowest=0.0),
        "perplexity": Metric(math.exp(min(mean, 700.0)), "", higher_is_better=False, lowest=1.0),
    }


def running_text_metrics(
    nats: float, tokens: int, characters: float, utf8: float, unit: Unit, primary: str = ""
) -> dict[str, Metric]:
    """Bits per character and per byte, and loss and perplexity per token, of `nats` summed over `tokens` of running
    text, which have so many characters and bytes. The primary metric comes first: by default bits_name(unit)."""
    per = {
        "bits_per_character": (characters, "char"),
        "bits_per_byte": (utf8, "byte"),
        "bits_per_word": (tokens, "word"),
    }
    primary = primary or bits_name(unit)
    shown = dict.fromkeys((primary, "bits_per_character", "bits_per_byte"))
    bits = {name: Metric(_bits(nats, per[name][0]), f"bits/{per[name][1]}", higher_is_better=False, lowest=0.0)
            for name in shown if name in per}  # fmt: skip
    return {**bits, **loss_and_perplexity(nats, tokens, "token" if unit == "subword" else unit)}


def _bits(nats: float, of: float) -> float:
    return nats / (of or 1) / math.log(2)


def bits_name(unit: Unit) -> str:
    """The metric's name: bits_per_word for words, bits_per_character for all other tokens."""
    return "bits_per_word" if unit == "word" else "bits_per_character"


def block_length(characters: int) -> int:
    """The length of the blocks by which a split is judged, whatever network reads it."""
    return max(_SHORTEST_BLOCK, characters // _MOST_BLOCKS)


class RunningTextMeter(Meter[TokenBatch]):
    """Nats over every scored token of a split. An item is a block of running text, because the losses of neighbouring
    tokens are not independent.

    vocabulary: for the texts of `items`. sizes: gives those of its tokens in this split. primary: bits_per_character or
    bits_per_word, by default by the unit. Blocks are of characters, so that they are the same for all tokens, unless
    the primary metric is per word; a token belongs to the block in which it begins.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        ids: TokenIds,
        sizes: Callable[[], TokenSizes],
        unit: Unit = "char",
        primary: str = "",
    ) -> None:
        self.vocabulary, self.ids, self._sizes, self.unit = vocabulary, ids, sizes, unit
        self.primary = primary or bits_name(unit)
        self.nats: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.starts: list[Tensor | None] = []

    @cached_property
    def sizes(self) -> TokenSizes:
        return self._sizes()

    @cached_property
    def weights(self) -> Floats:
        """weight_V: what the primary metric counts of each token."""
        return self.sizes.characters_V if self.primary == bits_name("char") else np.ones(len(self.vocabulary))

    def update(self, batch: TokenBatch, output: StepOutput, network: Network[TokenBatch]) -> None:
        logits_BVT = output.logits.float().mT
        self.nats.append(F.cross_entropy(logits_BVT, batch.targets_BT, ignore_index=UNSCORED, reduction="none"))
        self.targets.append(batch.targets_BT)
        self.starts.append(batch.starts_B)

    def compute(self) -> dict[str, Metric]:
        counts_V = np.zeros(len(self.vocabulary), dtype=np.int64)
        for targets_BT in self.targets:
            scored_N = targets_BT[targets_BT != UNSCORED].cpu().numpy()
            counts_V += np.bincount(scored_N, minlength=len(counts_V))
        nats = float(gather([nats_BT.flatten() for nats_BT in self.nats]).sum())
        characters, utf8 = self.sizes.total(counts_V)
        return running_text_metrics(nats, int(counts_V.sum()), characters, utf8, self.unit, self.primary)

    @cached_property
    def borders(self) -> Floats:
        """The position of each block's first token. The last block also has what is left over."""
        length = float(self.ids.counts(len(self.vocabulary)) @ self.weights)
        block = block_length(round(length))
        blocks = max(1, round(length) // block)
        borders, read, tokens = [0], 0.0, 0
        for part in self.ids.parts():
            begins_N = read + np.concatenate(([0.0], np.cumsum(self.weights[part])))
            wanted = block * np.arange(len(borders), blocks)
            found = tokens + np.searchsorted(begins_N[:-1], wanted - 1e-6)  # sums of averages are not exact
            borders += [place for place in found.tolist() if place < tokens + len(part)]
            read, tokens = float(begins_N[-1]), tokens + len(part)
        return np.array(borders, dtype=np.float64)

    def item_sums(self) -> ItemSums | None:
        sums_N2 = np.zeros((len(self.borders), 2))
        for nats_BT, targets_BT, starts_B in zip(self.nats, self.targets, self.starts, strict=True):
            if starts_B is None:
                return None
            places_BT = starts_B[:, None] + torch.arange(nats_BT.shape[1], device=starts_B.device)
            scored_BT = targets_BT != UNSCORED
            blocks = np.searchsorted(self.borders, places_BT[scored_BT].cpu().numpy(), "right") - 1
            sizes = self.weights[targets_BT[scored_BT].cpu().numpy()]
            weights = (gather([nats_BT[scored_BT]]), sizes)
            sums_N2 += np.stack([np.bincount(blocks, weight, len(sums_N2)) for weight in weights], 1)
        read_N2 = sums_N2[sums_N2[:, 1] > 0]
        return ItemSums(read_N2, lambda sums: float(sums[0] / sums[1] / math.log(2)))

    def items(self) -> Iterator[dict[str, Any]]:
        """Windows of text (rows of the batches), stream by stream. U+FFFD stands for an unknown token."""
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
                    self.primary: _bits(nats, float(self.weights[scored].sum())),
                    "text": self._text(scored),
                }

    def _text(self, ids: list[int]) -> str:
        if self.unit == "subword":
            return "".join(self.vocabulary.decode(ids))
        tokens = self.vocabulary.tokens
        return SEPARATOR[self.unit].join("\ufffd" if token == UNKNOWN else tokens[token] for token in ids)
