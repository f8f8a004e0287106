"""What a reproduction came to: each published figure beside ours, with a verdict. Made from the runs' results alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

from seqlab.comparison.design import Sample
from seqlab.comparison.intervals import Interval
from seqlab.comparison.page import environment
from seqlab.comparison.statistics import analyse
from seqlab.comparison.summary import Row, Summary
from seqlab.core.files import finite
from seqlab.core.metric import Metric
from seqlab.errors import ConfigError
from seqlab.reproduction.published import BEST, Published, Reproduction
from seqlab.reproduction.units import converted
from seqlab.reproduction.verdict import Verdict, judge


@dataclass(frozen=True)
class Ours:
    """What one of our models reached. values: by seed. interval: of the mean, 95 % over seeds; None with one seed, or
    where nothing varies."""

    label: str
    values: Mapping[int, float]
    mean: float
    interval: Interval | None

    def in_unit(self, unit: str, other: str) -> Ours:
        """The same in another unit: the mean is that of the values in `unit`."""
        ends = None if self.interval is None else tuple(converted(end, unit, other) for end in self.interval)
        values = {seed: converted(value, unit, other) for seed, value in self.values.items()}
        return Ours(self.label, values, converted(self.mean, unit, other), None if ends is None else (ends[0], ends[1]))


@dataclass(frozen=True)
class Line:
    """A published figure beside ours, in its unit; or one of ours alone, for which nothing was published."""

    unit: str
    published: Published | None
    ours: Ours | None
    verdict: Verdict | None


@dataclass(frozen=True)
class Outcome:
    """A reproduction with its lines. changed: overrides with which it is another experiment. command: what was typed.
    summary: of the comparison; None if no run is complete."""

    name: str
    reproduction: Reproduction
    lines: tuple[Line, ...]
    changed: tuple[str, ...]
    command: str
    summary: Summary | None

    def as_json(self) -> dict[str, Any]:
        """Plain values: the contents of reproduction.json."""
        told = self.reproduction
        times = None if self.summary is None else self.summary.times
        plain: dict[str, Any] = finite(
            {
                "name": self.name,
                **{key: getattr(told, key) for key in ("title", "citation", "link", "minutes", "machine")},
                "measure": asdict(told.measure),
                "command": self.command,
                "lines": [
                    {
                        "unit": line.unit,
                        "published": line.published and asdict(line.published),
                        "ours": line.ours and asdict(line.ours),
                        "verdict": line.verdict and {**asdict(line.verdict), "text": line.verdict.text},
                    }
                    for line in self.lines
                ],
                "models": [_model(row) for row in (self.summary.rows if self.summary is not None else ())],
                "differs": list(told.differs),
                "changed": list(self.changed),
                "time": None if times is None else times.as_json(),
                "data": {} if self.summary is None else dict(self.summary.plan.data),
                "environment": {} if self.summary is None else dict(environment(self.summary)),
            }
        )
        return plain


def outcome(
    name: str, reproduction: Reproduction, changed: Sequence[str], command: str, summary: Summary | None
) -> Outcome:
    """Lay published figures beside what the runs of a comparison reached. Raises ConfigError if the runs have no such
    metric, or have it in another unit."""
    rows = () if summary is None else summary.rows
    metric = _metric(reproduction, rows)
    ours = {} if metric is None else _ours(reproduction, rows, metric)
    lines = [_line(figure, reproduction, ours, rows, metric, changed) for figure in reproduction.published]
    shown = {line.ours.label for line in lines if line.ours is not None}
    unit = reproduction.published[0].unit if reproduction.published else reproduction.measure.unit
    for label, found in ours.items():
        if label not in shown:
            lines.append(Line(unit, None, found.in_unit(reproduction.measure.unit, unit), None))
    return Outcome(name, reproduction, tuple(lines), tuple(changed), command, summary)


def _metric(reproduction: Reproduction, rows: Sequence[Row]) -> Metric | None:
    """Direction and range of the measured metric; None if no run is complete."""
    measure = reproduction.measure
    for run in (run for row in rows for run in row.runs):
        kinds = run.result["metrics"]
        if measure.metric not in kinds:
            raise ConfigError(
                f"measure.metric={measure.metric} is none of these runs' metrics",
                f"correct it: seqlab reproduce repeats no run for that; metrics: {', '.join(kinds)}",
            )
        kind = kinds[measure.metric]
        if "/" in kind["unit"] and kind["unit"] != measure.unit:  # others are no units: macro F1
            raise ConfigError(
                f"measure.unit={measure.unit}, but {measure.metric} is in {kind['unit']}", "correct the unit"
            )
        return Metric(0.0, kind["unit"], kind["higher_is_better"], kind.get("lowest"), kind.get("highest"))
    return None


def _ours(reproduction: Reproduction, rows: Sequence[Row], metric: Metric) -> dict[str, Ours]:
    """What each model reached, with intervals over seeds: published figures are of networks that were trained anew,
    and tested on the same items as ours."""
    found: dict[str, Ours] = {}
    for row in rows:
        if values := _values(row, reproduction.measure.split, reproduction.measure.metric):
            # each by itself: figures near 0 say nothing about the variance of large ones
            interval = analyse({row.label: Sample(values)}, metric).intervals[row.label]
            found[row.label] = Ours(row.label, values, fmean(values.values()), interval)
    return found


def _values(row: Row, split: str, metric: str) -> dict[int, float]:
    """By seed; without runs whose figure is not finite."""
    found = {run.seed: run.result[split].get(metric) for run in row.runs}
    return {seed: float(value) for seed, value in found.items() if value is not None and math.isfinite(value)}


def _line(
    figure: Published,
    reproduction: Reproduction,
    ours: Mapping[str, Ours],
    rows: Sequence[Row],
    metric: Metric | None,
    changed: Sequence[str],
) -> Line:
    label = _best(reproduction, rows, metric) if figure.ours == BEST else figure.ours
    found = ours[label].in_unit(reproduction.measure.unit, figure.unit) if label in ours else None
    if figure.not_comparable is not None:
        verdict = Verdict("not comparable", figure.not_comparable)
    elif changed:
        verdict = Verdict("not comparable", f"with {' and '.join(changed)} it is another experiment")
    elif found is None or metric is None:
        verdict = Verdict("not reproduced", f"no run of {label or 'any model'} is complete")
    else:
        verdict = judge(figure, found.mean, found.interval, higher_is_better=metric.higher_is_better)
        if len(found.values) < reproduction.seeds:  # stopped, failed, not finite, or --seeds: others might change it
            why = f"{verdict.why}; of {len(found.values)} of its {reproduction.seeds} runs only"
            verdict = replace(verdict, why=why, settled=False)
    return Line(figure.unit, figure, found, verdict)


def _best(reproduction: Reproduction, rows: Sequence[Row], metric: Metric | None) -> str:
    """The label of the model that validates best on average, by the measured metric: never chosen by test figures."""
    if metric is None:
        return ""
    means = {row.label: values for row in rows if (values := _values(row, "validation", reproduction.measure.metric))}
    return max(means, key=lambda label: metric.gain(fmean(means[label].values()), 0.0), default="")


def _model(row: Row) -> dict[str, Any]:
    return {
        "label": row.label,
        "model": row.variant.model,
        "overrides": list(row.variant.overrides),
        "parameters": row.runs[0].result["parameters"] if row.runs else None,
        "steps": row.runs[0].result["steps"] if row.runs else None,
        "training_seconds": row.training_seconds,
        "failed": {str(seed): why for seed, why in row.failed.items()},
    }
