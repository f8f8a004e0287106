"""Confidence intervals that stay inside a metric's range."""

from __future__ import annotations

import math

from seqlab.core.metric import Metric

LEVEL = 0.95
Interval = tuple[float, float]


def within_range(mean: float, margin: float, metric: Metric) -> Interval:
    """mean +- margin, laid on the logit scale between two ends of the metric's range and on the log scale above one, so
    that it ends inside (by the delta method the margin is divided by the scale's slope at the mean, which holds for
    small steps only: neither end is further away than the margin)."""
    ends, plain = _scaled(mean, margin, metric), (mean - margin, mean + margin)
    return max(ends[0], plain[0]), min(ends[1], plain[1])


def _scaled(mean: float, margin: float, metric: Metric) -> Interval:
    low, high = metric.lowest, metric.highest
    if low is not None and high is not None and low < mean < high:
        whole = high - low
        share = (mean - low) / whole
        logit, step = math.log(share / (1 - share)), margin / whole / (share * (1 - share))
        ends = [low + whole / (1 + math.exp(-max(-700.0, min(700.0, x)))) for x in (logit - step, logit + step)]
        return ends[0], ends[1]
    if low is not None and high is None and mean > low:
        step = min(700.0, margin / (mean - low))
        return low + (mean - low) * math.exp(-step), low + (mean - low) * math.exp(step)
    ends = [mean - margin, mean + margin]
    return max(ends[0], -math.inf if low is None else low), min(ends[1], math.inf if high is None else high)
