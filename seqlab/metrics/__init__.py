"""Figures from sums over items, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch

from seqlab.interfaces import Metric

Floats = npt.NDArray[np.float64]


def bootstrap_interval(
    statistics_NK: Floats, aggregate: Callable[[Floats], float], seed: int, replicates: int = 1000
) -> tuple[float, float]:
    """The percentile 95 % interval of aggregate(sum over items of their K statistics) (Efron 1979).

    An item (a review, a sentence, a stretch of text) is the unit that is drawn again; every metric here
    is a function of sums over items, so one replicate costs one row of counts times one matrix.
    """
    rng = np.random.default_rng(seed)
    items = len(statistics_NK)
    values = [
        aggregate(rng.multinomial(items, np.full(items, 1 / items)).astype(np.float64) @ statistics_NK)
        for _ in range(replicates)
    ]
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def kinds(metrics: Mapping[str, Metric]) -> dict[str, dict[str, str | bool]]:
    """Unit and direction of each metric, as result.json gives them."""
    return {name: {"unit": m.unit, "higher_is_better": m.higher_is_better} for name, m in metrics.items()}


def nats_metrics(nats: float, targets: int) -> dict[str, Metric]:
    """Loss, bits and perplexity of `nats` summed over `targets` characters or tokens."""
    mean = nats / max(targets, 1)
    return {
        "loss": Metric(mean, "nats", higher_is_better=False),
        "bits": Metric(mean / math.log(2), "bits", higher_is_better=False),
        "perplexity": Metric(math.exp(min(mean, 700.0)), "", higher_is_better=False),
    }


def gather(parts: list[torch.Tensor]) -> Floats:
    """Tensors of one evaluation joined along their rows, in double precision on the host."""
    joined = torch.cat([part.detach().cpu().double() for part in parts])
    return np.asarray(joined.numpy(), dtype=np.float64)
