"""Metrics by the length of items."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from seqlab.core.items import Floats, bootstrap_interval
from seqlab.core.metric import Metric
from seqlab.core.results import LengthGroup


def length_groups(lengths: Sequence[int], groups: int = 6) -> list[tuple[int, int]]:
    """(shortest, longest) of at most `groups` ranges with about equally many items; each item is in one."""
    ordered, found = sorted(lengths), list[tuple[int, int]]()
    for index in range(1, groups + 1):
        cut = len(ordered) * index // groups
        first = bisect_right(ordered, found[-1][1]) if found else 0
        if cut > first:
            found.append((ordered[first], ordered[cut - 1]))
    return found


def by_length(
    lengths: Sequence[int],
    sums_NK: Floats,
    aggregate: Callable[[Floats], float],
    metrics_of: Callable[[Sequence[int]], Mapping[str, Metric]],
) -> tuple[LengthGroup, ...]:
    """Six groups with about equally many items each, chosen by length alone. sums_NK, aggregate: of the metric whose
    interval each group has. metrics_of: the metrics of the items with these indices."""
    length_N, found = np.array(lengths), []
    for shortest, longest in length_groups(lengths):
        chosen = np.flatnonzero((length_N >= shortest) & (length_N <= longest))
        interval = bootstrap_interval(sums_NK[chosen], aggregate, seed=0)
        found.append(LengthGroup(shortest, longest, len(chosen), metrics_of(chosen.tolist()), interval))
    return tuple(found)
