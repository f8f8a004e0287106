"""Confidence intervals that stay inside a metric's range."""

from __future__ import annotations

import math

from seqlab.core.metric import Metric

LEVEL = 0.95
Interval = tuple[float, float]


def within_range(mean: float, margin: float, metric: Metric) -> Interval:
    """mean +- margin, computed on the logit scale if the metric's range has two ends, and on the log scale if it has
    only a lower one, so that the interval stays inside. The scaled margin follows from the slope at the mean (delta
    method), which holds for small margins only: neither end is further away than the margin."""
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
