"""What each item of a split adds to a metric, and a metric's uncertainty. N items, K numbers of each, R replicates."""

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
    block: so many successive items are alike, as those of a series in time may be, and are resampled together.
    """

    sums_NK: Floats
    aggregate: Callable[[Floats], float]
    block: int = 1

    def interval(self, seed: int) -> tuple[float, float]:
        """The 95 % bootstrap interval over items."""
        return bootstrap_interval(self.sums_NK, self.aggregate, seed, block=self.block)

    def item_values(self) -> Floats:
        """The metric item by item, or block by block: jackknife pseudo-values N f(all) - (N - 1) f(all but one) (Tukey
        1958).

        For a mean they are the items' own values. For other metrics (BLEU, macro F1) they take the place of such
        values: their variance over N estimates the metric's variance over items.
        """
        if self.block > 1:
            return ItemSums(self._blocks(), self.aggregate).item_values()
        items, sums_K = len(self.sums_NK), self.sums_NK.sum(0)
        whole = self.aggregate(sums_K)
        if items < 2:
            return np.full(items, whole)
        # most items add the same as another one (a right answer or a wrong one): leave out one of each kind
        kinds_MK, kind_N = np.unique(self.sums_NK, axis=0, return_inverse=True)
        without_M = np.array([self.aggregate(sums_K - kind_K) for kind_K in kinds_MK])
        return np.asarray((items * whole - (items - 1) * without_M)[kind_N.reshape(-1)], dtype=np.float64)

    def _blocks(self) -> Floats:
        """The sums of successive items: as many blocks as there are whole ones, of nearly equal lengths."""
        count = max(1, len(self.sums_NK) // self.block)
        return np.stack([part_NK.sum(0) for part_NK in np.array_split(self.sums_NK, count)])


def bootstrap_interval(
    statistics_NK: Floats, aggregate: Callable[[Floats], float], seed: int, replicates: int = 1000, block: int = 1
) -> tuple[float, float]:
    """The percentile 95 % interval of aggregate(sum over items of their K statistics) (Efron 1979), expanded for few
    items (Hesterberg 2015): at percentiles that replace the normal distribution by Student's t and a variance over N by
    one over N - 1. nan, nan for fewer than two items.

    block: neighbouring items of a series are alike, so that blocks of so many are drawn, from any place (Künsch 1989);
    a block at the end goes on at the beginning, so that each item is drawn as often as any other (Politis & Romano
    1992). N is then the number of blocks.

    Items are resampled; since every metric is a function of sums over items, one replicate costs one row of counts
    times one matrix.
    """
    from scipy.special import ndtr, stdtrit

    items = len(statistics_NK)
    if items < 2:
        return math.nan, math.nan
    rng, draws = np.random.default_rng(seed), max(2, round(items / block))
    around_NK = np.concatenate((statistics_NK, statistics_NK[: block - 1]))
    block_NK = np.lib.stride_tricks.sliding_window_view(around_NK, block, axis=0).sum(-1)
    sums_RK = np.stack(
        [rng.multinomial(draws, np.full(items, 1 / items)).astype(np.float64) @ block_NK for _ in range(replicates)]
    )
    # of few items, or of counts, many replicates have the same sums
    kinds_MK, kind_R = np.unique(sums_RK, axis=0, return_inverse=True)
    values = np.array([aggregate(kind_K) for kind_K in kinds_MK])[kind_R.reshape(-1)]
    tail = 100 * float(ndtr(stdtrit(draws - 1, 0.025) * math.sqrt(draws / (draws - 1))))
    low, high = np.percentile(values, (tail, 100 - tail))
    return float(low), float(high)
