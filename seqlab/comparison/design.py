"""What models x seeds x items can show: the variance of a difference, and the distribution of its statistic under the
null hypothesis that all models are equally good.

Letters: M models, S seeds of one model, N items of the test split, D draws, L latent factors of the items' covariance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from seqlab.comparison.intervals import LEVEL
from seqlab.comparison.multiple_testing import Floats

_ROUNDING = 1e-12  # of the values: a spread below it is rounding


@dataclass(frozen=True)
class Sample:
    """One model's figures on test. values: by seed. items: by seed, the metric item by item in the split's order."""

    values: Mapping[int, float]
    items: Mapping[int, Sequence[float]] = field(default_factory=dict)

    @property
    def item_count(self) -> int | None:
        """N; None unless every run has stored its items, and equally many."""
        counts = {len(self.items.get(seed, ())) for seed in self.values}
        return counts.pop() if len(counts) == 1 and min(counts) > 1 else None


def balanced(samples: Mapping[str, Sample]) -> dict[str, Sample]:
    """The samples cut to the fewest seeds of any: first the seeds that all have, then the smallest."""
    seeds = [set(sample.values) for sample in samples.values()]
    found = {}
    for label, sample in samples.items():
        in_all_first = sorted(sample.values, key=lambda seed: (not all(seed in other for other in seeds), seed))
        kept = in_all_first[: min(map(len, seeds))]
        items = {seed: sample.items[seed] for seed in kept if seed in sample.items}
        found[label] = Sample({seed: sample.values[seed] for seed in kept}, items)
    return found


def moderated(variance_M: Floats, seeds_M: npt.NDArray[np.int64]) -> Floats:
    """Each model's variance over seeds, shrunk towards the mean variance of all (Smyth 2004, with a fixed prior: four
    models cannot tell how much their variances differ). The mean's weight is 3 / (2 S - 1): 1 with two seeds, whose
    own variance is a single square, six tenths with three, a third with five. With unequal numbers of seeds the models
    with many would determine the variance of those with few, so that each is left as it is. variance_M: (..., M)."""
    if len(set(seeds_M.tolist())) > 1:
        return variance_M
    weight_M = 3.0 / (2 * seeds_M - 1)
    dof_M = seeds_M - 1
    pooled = (variance_M * dof_M).sum(-1, keepdims=True) / dof_M.sum()
    return np.asarray(weight_M * pooled + (1 - weight_M) * variance_M, dtype=np.float64)


class Design:
    """Models with two seeds or more. items: N, where all runs know the same number of them; None: seeds alone.

    The variance of a mean difference has two parts, from training seeds and from test items:
    (s_a^2 / S_a + s_b^2 / S_b) + var(item differences) / N. The first is moderated.
    """

    def __init__(self, samples: Sequence[Sample], draws: int, seed: int) -> None:
        values = [np.array(list(sample.values.values())) for sample in samples]
        self.seeds_M = np.array([len(v) for v in values])
        self.mean_M = np.array([v.mean() for v in values])
        self.rounding_variance = (_ROUNDING * max(float(np.abs(v).max()) for v in values)) ** 2
        variance_M = np.array([v.var(ddof=1) for v in values])
        variance_M = np.where(variance_M <= self.rounding_variance, 0.0, variance_M)
        counts = {sample.item_count for sample in samples}
        self.items = counts.pop() if len(counts) == 1 else None
        self.covariance_MM = np.zeros((len(samples), len(samples)))
        if self.items is not None:
            self.covariance_MM, interaction_M = _over_items(samples)
            # runs that disagree on items vary at least this much in their means, even if the observed means agree
            variance_M = np.maximum(variance_M, interaction_M)
        self.variance_M = moderated(variance_M, self.seeds_M)
        self._draws, self._rng = draws, np.random.default_rng(seed)
        self._drawn_statistics: dict[tuple[int, int | None], Floats] = {}

    def variance(self, a: int, b: int | None = None) -> float:
        """Of model a's mean, or of the difference between the means of a and b."""
        return float(self._variance(self.variance_M, np.eye(len(self.seeds_M)), self._item_root, a, b))

    def varies(self, a: int, b: int | None = None) -> bool:
        """Whether that variance is more than rounding."""
        return self.variance(a, b) > self.rounding_variance

    def statistic(self, a: int, b: int) -> float:
        """|mean difference| / standard error."""
        return float(abs(self.mean_M[a] - self.mean_M[b]) / math.sqrt(self.variance(a, b)))

    def drawn_statistic(self, a: int, b: int | None = None) -> Floats:
        """(D,): the statistic in each draw, between equal models; without b, of a's mean around its expectation."""
        key = (min(a, b), max(a, b)) if b is not None else (a, None)
        if key not in self._drawn_statistics:
            mean_DM, variance_DM, factor_DLL = self._drawn
            difference_D = mean_DM[:, a] if b is None else mean_DM[:, a] - mean_DM[:, b]
            error_D = np.sqrt(self._variance(variance_DM, factor_DLL, self._item_root, a, b))
            self._drawn_statistics[key] = np.asarray(np.abs(difference_D) / error_D, dtype=np.float64)
        return self._drawn_statistics[key]

    def margin(self, a: int, b: int | None = None) -> float | None:
        """Half the 95 % interval; None where nothing varies."""
        if not self.varies(a, b):
            return None
        return float(np.quantile(self.drawn_statistic(a, b), LEVEL)) * math.sqrt(self.variance(a, b))

    def _variance(self, variance_M: Floats, factor_LL: Floats, root_ML: Floats, a: int, b: int | None) -> Any:
        """From the variances over seeds (..., M) and the items' covariance, of which root @ factor (..., L, L) is a
        root."""
        variance = variance_M[..., a] / self.seeds_M[a]
        if b is not None:
            variance = variance + variance_M[..., b] / self.seeds_M[b]
        if self.items is None:
            return variance
        row_L = root_ML[a] if b is None else root_ML[a] - root_ML[b]
        return variance + ((row_L @ factor_LL) ** 2).sum(-1)

    @cached_property
    def _item_root(self) -> Floats:
        """H with H H^T the covariance of the models' means over items."""
        values_L, vectors_ML = np.linalg.eigh(self.covariance_MM)
        return np.asarray(vectors_ML * np.sqrt(values_L.clip(min=0.0)), dtype=np.float64)

    @cached_property
    def _drawn(self) -> tuple[Floats, Floats, Floats]:
        """(mean_DM, variance_DM, factor_DLL): means of equal models, and the variances that would be estimated with
        them: chi-squared over seeds, Wishart over items (its Bartlett factor)."""
        rng, shape = self._rng, (self._draws, len(self.seeds_M))
        over_seeds_DM = rng.normal(size=shape) * np.sqrt(self.variance_M / self.seeds_M)
        mean_DM = over_seeds_DM + rng.normal(size=shape) @ self._item_root.T
        dof_M = self.seeds_M - 1
        estimated_DM = self.variance_M * rng.chisquare(np.broadcast_to(dof_M, shape)) / dof_M
        models, dof = shape[1], max(1, (self.items or 2) - 1)
        factor_DLL = np.tril(rng.normal(size=(*shape, models)), -1)
        for place in range(models):
            factor_DLL[:, place, place] = np.sqrt(rng.chisquare(max(1, dof - place), size=self._draws))
        return mean_DM, moderated(estimated_DM, self.seeds_M), factor_DLL / math.sqrt(dof)


def _over_items(samples: Sequence[Sample]) -> tuple[Floats, Floats]:
    """(covariance_MM of the models' means when items are drawn again, interaction_M: how much the mean of one run
    varies because its model's runs disagree on items).

    The second is part of the variance over seeds already, so that it is subtracted from the first (two-way random
    effects, Satterthwaite 1946).
    """
    run_MSN = [np.array([sample.items[seed] for seed in sample.values], dtype=np.float64) for sample in samples]
    items = run_MSN[0].shape[1]
    means_MN = np.stack([runs.mean(0) for runs in run_MSN])
    interaction = []
    for runs_SN in run_MSN:
        residual_SN = runs_SN - runs_SN.mean(0) - runs_SN.mean(1, keepdims=True) + runs_SN.mean()
        interaction.append(float((residual_SN**2).sum()) / ((len(runs_SN) - 1) * (items - 1)) / items)
    interaction_M = np.array(interaction)
    covariance_MM = np.atleast_2d(np.cov(means_MN)) / items
    seeds_M = np.array([len(runs) for runs in run_MSN])
    return covariance_MM - np.diag(interaction_M / seeds_M), interaction_M
