"""Is any model better than the best that is reached without a network? Models against that baseline, seed by seed and,
where the baseline's items are known, item by item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seqlab.comparison.design import Design, Sample
from seqlab.comparison.intervals import Interval
from seqlab.core.baseline import Baseline
from seqlab.core.metric import Metric


@dataclass(frozen=True)
class Gain:
    """How much better a model's mean is than the baseline: positive is better, whatever the metric's direction.
    interval: 95 %, for this model alone, and as narrow as can be where nothing varies; None for a single seed. items:
    how many test items it generalises over; None: over seeds alone."""

    label: str
    seeds: int
    mean: float
    interval: Interval | None
    items: int | None

    @property
    def better(self) -> bool:
        """Whether the whole interval is better."""
        return self.interval is not None and self.interval[0] > 0


@dataclass(frozen=True)
class AgainstBaseline:
    """The best baseline on test, `value`, and the gain of each model over it."""

    name: str
    value: float
    gains: tuple[Gain, ...]


def against_baseline(
    samples: Mapping[str, Sample], baselines: Sequence[Baseline], primary: str, metric: Metric, *, draws: int = 20_000
) -> AgainstBaseline | None:
    """Every model against the baseline with the best primary metric; None if there is no baseline, or no model.

    The differences of one model, by seed and item, are a sample of their own: their mean varies over seeds and, if the
    baseline's items are known, over test items, with what makes an item hard for both taken out.
    """
    known = [baseline for baseline in baselines if primary in baseline.metrics]
    best = min(known, key=lambda baseline: baseline.metrics[primary].rank, default=None)
    if best is None or not samples:
        return None
    value = best.metrics[primary].value
    gains = [_gain(label, sample, best, value, metric, draws) for label, sample in samples.items()]
    return AgainstBaseline(best.name, value, tuple(sorted(gains, key=lambda gain: -gain.mean)))


def _gain(label: str, sample: Sample, best: Baseline, value: float, metric: Metric, draws: int) -> Gain:
    values = {seed: metric.gain(mine, value) for seed, mine in sample.values.items()}
    mean, items = sum(values.values()) / len(values), dict[int, list[float]]()
    if sample.item_count is not None and sample.item_count == len(best.items):
        items = {
            seed: [metric.gain(mine, other) for mine, other in zip(sample.items[seed], best.items, strict=True)]
            for seed in values
        }
    if len(values) < 2:
        return Gain(label, len(values), mean, None, None)
    design = Design([Sample(values, items)], draws, 0)
    margin = design.margin(0) or 0.0
    return Gain(label, len(values), mean, (mean - margin, mean + margin), design.items)
