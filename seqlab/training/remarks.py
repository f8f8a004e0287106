"""Remarks on a result that its metrics alone do not show: no better than chance, or not trained to convergence."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from seqlab.core.baseline import Baseline
from seqlab.core.files import read_plain
from seqlab.core.metric import Metric

_STILL = 0.1  # of a metric's value, gained by as many steps again at the last slope: still improving
_MOST_BYTES = 2**30  # of a log


def worse_than_chance(
    metrics: Mapping[str, Metric],
    primary: str,
    chance: Baseline | None,
    remedy: str,
    interval: tuple[float, float] = (math.nan, math.nan),
) -> str | None:
    """A remark where the primary metric, or the loss where chance lacks that metric, is not clearly better than chance.
    interval: of the primary metric, 95 % over items; a chance level within it is no clear difference."""
    name = next((name for name in (primary, "loss") if chance is not None and name in chance.metrics), None)
    if chance is None or name is None:
        return None
    metric, level = metrics[name], chance.metrics[name]
    ends = [replace(metric, value=end) for end in interval if name == primary and not math.isnan(end)]
    if metric.better_than(level) and all(end.better_than(level) for end in ends):
        return None
    reached, other = (f"{one.value:.4g} {one.unit}".rstrip() for one in (metric, level))
    said, learned = "is no better than", "has learned nothing"
    if metric.better_than(level):
        reached += f" (95 % {ends[0].value:.4g} to {ends[1].value:.4g})"
        said, learned = "is not clearly better than", "may have learned nothing"
    return (
        f"validation {name.replace('_', ' ')} {reached} {said} {chance.name} ({other}: {chance.about}); it {learned}: "
        f"train longer, or try {remedy}"
    )


def still_improving(curve: Sequence[tuple[int, float]], metric: Metric, name: str) -> str | None:
    """A remark where the last (step, value) of the curve is the best and the slope that leads to it is steep: as many
    steps again would gain more than a tenth of the value. metric: direction and unit of the values."""
    if len(curve) < 3:
        return None
    *earlier, (step, last) = ((step, replace(metric, value=value)) for step, value in curve)
    before_step, before = next((point for point in reversed(earlier) if point[0] <= 0.9 * step), earlier[0])
    gain = before.rank - last.rank
    is_best = all(last.better_than(other) for _, other in earlier)
    if not is_best or gain * step / (step - before_step) <= _STILL * abs(last.value):
        return None
    unit = f" {metric.unit}".rstrip()
    return (
        f"validation {name.replace('_', ' ')} was still improving when training ended ({before.value:.4g} at step "
        f"{before_step}, {last.value:.4g}{unit} at {step}): give it more, such as trainer.max_steps={2 * step}"
    )


def validations(folder: Path, name: str) -> list[tuple[int, float]]:
    """(step, value) of each validation of a run, from its metrics.jsonl; those that were not finite are left out."""

    def found(lines: Iterable[str]) -> Iterator[tuple[int, float]]:
        for line in lines:
            record = json.loads(line)
            if record.get(f"val/{name}") is not None:
                yield record["step"], record[f"val/{name}"]

    try:
        return list(found(read_plain(folder / "metrics.jsonl", _MOST_BYTES).decode("utf-8").splitlines()))
    except (OSError, ValueError):  # cut off by a full disk, or no plain file
        return []
