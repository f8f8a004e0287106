"""What each item of a split adds to a metric, and the metric's uncertainty. N items, K numbers of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ItemSums:
    """A metric as a function of sums over items: aggregate(sums_NK.sum(0)) is its value on the whole split.

    An item is the unit that the bootstrap resamples: a text, a pair of sentences, a block of running text. Rows stand
    in the split's own order, whatever the order of batches, so that two networks' rows are about the same items.
    """

    sums_NK: Floats
    aggregate: Callable[[Floats], float]

    def interval(self, seed: int) -> tuple[float, float]:
        """The 95 % bootstrap interval over items."""
        return bootstrap_interval(self.sums_NK, self.aggregate, seed)

    def item_values(self) -> Floats:
        """The metric item by item: jackknife pseudo-values N f(all) - (N - 1) f(all but one) (Tukey 1958).

        For a mean they are the items' own values. For other metrics (BLEU, macro F1) they take the place of such
        values: their variance over N estimates the metric's variance over items.
        """
        items, sums_K = len(self.sums_NK), self.sums_NK.sum(0)
        whole = self.aggregate(sums_K)
        if items < 2:
            return np.full(items, whole)
        # most items add the same as another one (a right answer or a wrong one): leave out one of each kind
        kinds_MK, kind_N = np.unique(self.sums_NK, axis=0, return_inverse=True)
        without_M = np.array([self.aggregate(sums_K - kind_K) for kind_K in kinds_MK])
        return np.asarray((items * whole - (items - 1) * without_M)[kind_N.reshape(-1)], dtype=np.float64)


def bootstrap_interval(
    statistics_NK: Floats, aggregate: Callable[[Floats], float], seed: int, replicates: int = 1000
) -> tuple[float, float]:
    """The percentile 95 % interval of aggregate(sum over items of their K statistics) (Efron 1979), expanded for few
    items (Hesterberg 2015): at percentiles that replace the normal distribution by Student's t and a variance over N by
    one over N - 1. nan, nan for fewer than two items.

    Items are resampled; since every metric is a function of sums over items, one replicate costs one row of counts
    times one matrix.
    """
    from scipy.special import ndtr, stdtrit

    items = len(statistics_NK)
    if items < 2:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    values = [
        aggregate(rng.multinomial(items, np.full(items, 1 / items)).astype(np.float64) @ statistics_NK)
        for _ in range(replicates)
    ]
    tail = 100 * float(ndtr(stdtrit(items - 1, 0.025) * math.sqrt(items / (items - 1))))
    low, high = np.percentile(values, (tail, 100 - tail))
    return float(low), float(high)
