"""Typed results of an evaluation beside its metrics: Meter.results gives them, and views select them by type.

C labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from seqlab.core.metric import Metric


@dataclass(frozen=True)
class Confusion:
    """How often each label was predicted for items of each label. counts_CC: targets by row, predictions by column."""

    labels: tuple[str, ...]
    counts_CC: npt.NDArray[np.int64]


@dataclass(frozen=True)
class LengthGroup:
    """Items of about one length, from `shortest` to `longest`. interval: the 95 % bootstrap interval over these items
    of the metric that ByLength names."""

    shortest: int
    longest: int
    items: int
    metrics: Mapping[str, Metric]
    interval: tuple[float, float]


@dataclass(frozen=True)
class ByLength:
    """The metrics of groups of items, shortest first. of, unit: what is measured, and in what unit ("source",
    "characters"). metric: which of each group's metrics is drawn; name: its name for people."""

    of: str
    unit: str
    metric: str
    name: str
    groups: tuple[LengthGroup, ...]


@dataclass(frozen=True)
class Answered:
    """One item: the text that was read, what the network predicted, and the target. loss: nats, summed over the item's
    targets. probabilities: of each label, where the prediction is one of them."""

    text: str
    prediction: str
    target: str
    loss: float
    probabilities: Mapping[str, float] | None = None

    @property
    def right(self) -> bool:
        """Whether the prediction is the target."""
        return self.prediction == self.target


Result: TypeAlias = Confusion | ByLength | Answered
