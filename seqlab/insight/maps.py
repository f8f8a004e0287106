"""What attention modules do while a network reads: weights, the scores before the softmax, and whether they look where
the answer stands, if a task knows that (core/sources.py).

B batch, N heads, T query positions, S key positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seqlab.core.attention import Attention
from seqlab.core.batch import Batch
from seqlab.core.network import Network
from seqlab.core.offers import offers
from seqlab.core.sources import KnownSources
from seqlab.core.task import Task
from seqlab.insight.watching import calls_of, check_finite
from seqlab.metrics import Floats

Places = npt.NDArray[np.int64]
"""(B, T): the key position at which the answer to a query stands; -1 where that is not known."""


@dataclass(frozen=True)
class Map:
    """One attention module while a network reads a batch. score_BNTS: -inf where a query must not attend; None if the
    module has no scores."""

    module: Attention
    weight_BNTS: Floats
    score_BNTS: Floats | None

    def seen(self) -> npt.NDArray[np.bool_]:
        """(B, T, S): which positions a query may attend to, by the scores, or else by whether the module is causal."""
        if self.score_BNTS is not None:
            return np.asarray((self.score_BNTS > -np.inf).any(1))
        rows, _, queries, keys = self.weight_BNTS.shape
        every_TS = np.ones((queries, keys), dtype=bool)
        return np.broadcast_to(np.tril(every_TS) if self.module.causal else every_TS, (rows, queries, keys))


@dataclass(frozen=True)
class Agreement:
    """How often the most attended position is the one at which the answer stands. share_N: by head. chance: the same of
    a position chosen at random among those that a query may attend to. queries: how many have a known place."""

    share_N: Floats
    chance: float
    queries: int


def maps(network: Network[Any], batch: Batch) -> dict[str, Map]:
    """Of each attention of a network while it reads a batch, by the module's name."""
    found = {}
    with torch.no_grad():
        for name, call in calls_of(network, batch, Attention).items():
            weight_BNTS = _floats(call.module.weights(*call.arguments, **call.keywords))
            check_finite(weight_BNTS, f"the attention weights of {name}")
            scores = call.module.scores
            score_BNTS = None if scores is None else _floats(scores(*call.arguments, **call.keywords))
            found[name] = Map(call.module, weight_BNTS, score_BNTS)
    return found


def _floats(values: torch.Tensor) -> Floats:
    return np.asarray(values.cpu().double().numpy())


def agreements(task: Task[Any], batch: Batch, found: Mapping[str, Map]) -> dict[str, Agreement]:
    """Of those modules that answers come through: all that attend to another sequence, or, without any, all that there
    are. {} if the task knows no places, or none of this batch."""
    place_BT = places_in(task, batch)
    if place_BT is None:
        return {}
    across = {name: each for name, each in found.items() if each.module.across}
    return {name: _agreement(each, place_BT) for name, each in (across or found).items()}


def places_in(task: Task[Any], batch: Batch) -> Places | None:
    """None if the task knows no places, or none of this batch."""
    if not offers(task, KnownSources):
        return None
    place_BT: Places = task.source_places(batch).cpu().numpy()
    return place_BT if (place_BT >= 0).any() else None


def _agreement(found: Map, place_BT: Places) -> Agreement:
    known_BT = (place_BT >= 0) & (place_BT < found.weight_BNTS.shape[-1])  # a long source is cut
    right_BNT = (found.weight_BNTS.argmax(-1) == place_BT[:, None]) & known_BT[:, None]
    chance_BT = 1 / np.maximum(1, found.seen().sum(-1))
    queries = int(known_BT.sum())
    return Agreement(
        right_BNT.sum((0, 2)) / max(1, queries), float(chance_BT[known_BT].sum() / max(1, queries)), queries
    )


def pooled(parts: Sequence[Agreement]) -> Agreement:
    """Of one module over several batches: each query counts once."""
    count_P = np.array([part.queries for part in parts])
    weight_P = count_P / max(1, count_P.sum())
    return Agreement(
        weight_P @ np.stack([part.share_N for part in parts]),
        float(weight_P @ np.array([part.chance for part in parts])),
        int(count_P.sum()),
    )


def spread(weight_NTS: Floats) -> Floats:
    """(N,) effective number of positions that each head attends to: 2^entropy, averaged over queries."""
    return np.asarray((2 ** entropy(weight_NTS)).mean(-1))


def divergences(weight_NTS: Floats) -> Floats:
    """(N,) mean Jensen-Shannon divergence of each head from the others, in bits, averaged over queries; NaN for N=1."""
    heads = len(weight_NTS)
    if heads == 1:
        return np.array([np.nan])
    first, second = weight_NTS[:, None], weight_NTS[None]
    bits_NN = (entropy((first + second) / 2) - (entropy(first) + entropy(second)) / 2).mean(-1)
    return np.asarray(bits_NN.sum(1) / (heads - 1))


def entropy(weight_S: Floats) -> Floats:
    """In bits, over the last axis."""
    return np.asarray(-(weight_S * np.log2(np.maximum(weight_S, 1e-30))).sum(-1))
