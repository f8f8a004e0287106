"""Correcting p for many pairs of models at once, so that the family-wise error rate is 5 %.

Letters: P tests, D draws of the null distribution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def exceedance(observed: float, drawn_D: Floats) -> float:
    """The p of a statistic: the share of draws that are as large, itself counted among them (Davison and Hinkley 1997,
    equation 4.11)."""
    return (1 + int((drawn_D >= observed).sum())) / (1 + len(drawn_D))


def westfall_young(observed: Mapping[int, float], drawn_D: Mapping[int, Floats]) -> dict[int, float]:
    """p of each test by the step-down max-T procedure (Westfall and Young 1993, algorithm 2.8).

    The largest statistic is compared with the largest of all in each draw, the next with the largest of those left, and
    so on: Holm's steps (1979) with the joint distribution of the tests in place of Bonferroni's bound. observed: each
    test's statistic. drawn_D: the same statistic in each draw, where no models differ.
    """
    largest_D = np.zeros(1)
    found = dict[int, float]()
    for test in sorted(observed, key=lambda test: observed[test]):
        largest_D = np.maximum(largest_D, drawn_D[test])
        found[test] = exceedance(observed[test], largest_D)
    highest = 0.0
    for test in sorted(observed, key=lambda test: -observed[test]):
        found[test] = highest = max(highest, found[test])  # no p is below that of a larger statistic
    return found


def corrected(p: Sequence[float], observed: Mapping[int, float], drawn_D: Mapping[int, Floats]) -> list[float]:
    """p of each of P tests corrected for all of them. p: each by itself. observed, drawn_D: of those tests that have a
    null distribution in common; the others are sign tests, which are corrected by Bonferroni's bound."""
    found = [min(1.0, each * len(p)) for each in p]
    # where there are sign tests as well, Bonferroni's bound shares the 5 % between the two kinds
    share = len(p) / len(observed) if 0 < len(observed) < len(p) else 1.0
    for test, each in westfall_young(observed, drawn_D).items():
        found[test] = min(1.0, each * share)
    return found
