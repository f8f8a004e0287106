"""What the runs of a comparison came to: one row a model, the pairs, the baselines. Read from the runs' files alone, so
that it can be made again at any time."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from seqlab.comparison.conditions import conditions_json
from seqlab.comparison.plan import Plan, Variant
from seqlab.comparison.statistics import Analysis, Difference, Interval, Sample, analyse, tested
from seqlab.comparison.verdict import verdict
from seqlab.errors import CheckpointError
from seqlab.interfaces import Baseline, Metric
from seqlab.run_folder import read_items, read_result, write_json
from seqlab.training.recorder import finite

_TIME_NOISE = 0.05


@dataclass(frozen=True)
class Point:
    """One validation: where on the way, and the primary metric's value."""

    step: int
    tokens: int
    seconds: float
    value: float


@dataclass(frozen=True)
class Run:
    """A complete run. items: the primary metric on test item by item; None where the run does not know it."""

    label: str
    seed: int
    folder: str
    result: Mapping[str, Any]
    curve: tuple[Point, ...]
    sample: str
    items: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Row:
    """One model over its seeds. test: the primary metric by seed; figures: each metric's mean over seeds. interval: of
    the mean, 95 %, over what the verdicts are over. seconds_to_target: mean training time until the shared target was
    first met. pareto_optimal: nothing else is both better on test and quicker to train."""

    variant: Variant
    runs: tuple[Run, ...]
    failed: Mapping[int, str]
    test: Mapping[int, float]
    mean: float | None
    interval: Interval | None
    figures: Mapping[str, float]
    training_seconds: float | None
    tokens_per_second: float | None
    peak_memory_bytes: int | None
    seconds_to_target: float | None
    pareto_optimal: bool

    @property
    def label(self) -> str:
        """Its name in tables."""
        return self.variant.label


@dataclass(frozen=True)
class Summary:
    """Everything the report says. target: the worst of the runs' best validations, which every run has met."""

    plan: Plan
    rows: tuple[Row, ...]
    pairs: tuple[Difference, ...]
    verdicts: tuple[str, ...]
    baselines: tuple[Baseline, ...]
    primary: str
    metric: Metric
    target: float | None
    command: str
    analysis: Analysis

    @property
    def items(self) -> int | None:
        """How many test items the verdicts and intervals generalise over; None: over seeds alone."""
        return self.analysis.items

    @property
    def over(self) -> str:
        """What the intervals and verdicts generalise over."""
        return "over seeds" if self.items is None else "over seeds and items"

    @property
    def unit(self) -> str:
        """The primary metric's unit, or its name where it has none."""
        return self.metric.unit or self.primary.replace("_", " ")


def read_run(label: str, seed: int, folder: Path) -> Run | None:
    """A run's files; None if it has no result."""
    result = read_result(folder)
    if result is None:
        return None
    try:
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} cannot be read: {error}") from error
    tag = f"val/{result['primary']}"
    curve = tuple(
        Point(line["step"], line["tokens"], line["seconds"], line[tag]) for line in lines if line.get(tag) is not None
    )
    samples = folder / "samples.txt"
    sample = samples.read_text(encoding="utf-8") if samples.is_file() else ""
    return Run(label, seed, str(folder), result, curve, sample, read_items(folder, result["primary"]))


def summarise(
    plan: Plan,
    runs: Sequence[Run],
    failed: Mapping[tuple[str, int], str],
    baselines: Sequence[Baseline],
    command: str,
) -> Summary | None:
    """Put the runs together, best model first; None if there is none."""
    if not runs:
        return None
    primary = str(runs[0].result["primary"])
    kind = runs[0].result["metrics"][primary]
    # runs of before do not know the range
    metric = Metric(0.0, kind["unit"], kind["higher_is_better"], kind.get("lowest"), kind.get("highest"))
    higher = metric.higher_is_better
    pick_best = max if higher else min
    bests = [pick_best(point.value for point in run.curve) for run in runs if run.curve]
    target = shared_target(bests, metric)
    analysis = analyse(_samples(plan, runs, primary), metric)
    rows = [_row(variant, runs, failed, primary, target, higher, analysis) for variant in plan.variants]
    rows = [_with_pareto(row, rows, higher) for row in rows]
    rows.sort(key=lambda row: (row.mean is None, 0.0 if row.mean is None else -row.mean if higher else row.mean))
    order = {row.label: place for place, row in enumerate(rows)}
    pairs = sorted(analysis.pairs, key=lambda pair: (order[pair.first], order[pair.second]))
    unit = metric.unit or primary.replace("_", " ")
    verdicts = tuple(verdict(pair, unit, tested(pairs)) for pair in pairs)
    return Summary(
        plan, tuple(rows), tuple(pairs), verdicts, tuple(baselines), primary, metric, target, command, analysis
    )


def _samples(plan: Plan, runs: Sequence[Run], primary: str) -> dict[str, Sample]:
    """What each model's runs came to on test, in the plan's order; without those that came to no number."""
    found: dict[str, Sample] = {}
    for variant in plan.variants:
        known = [run for run in runs if run.label == variant.label and run.result["test"][primary] is not None]
        if known:
            values = {run.seed: float(run.result["test"][primary]) for run in known}
            found[variant.label] = Sample(values, {run.seed: run.items or () for run in known})
    return found


def _row(
    variant: Variant,
    runs: Sequence[Run],
    failed: Mapping[tuple[str, int], str],
    primary: str,
    target: float | None,
    higher: bool,
    analysis: Analysis,
) -> Row:
    mine = tuple(sorted((run for run in runs if run.label == variant.label), key=lambda run: run.seed))
    test = {run.seed: value for run in mine if (value := run.result["test"][primary]) is not None}
    names = mine[0].result["test"] if mine else {}

    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return fmean(known) if known and len(known) == len(values) else None

    figures = {name: value for name in names if (value := mean([run.result["test"][name] for run in mine])) is not None}
    return Row(
        variant=variant,
        runs=mine,
        failed={
            **{seed: why for (label, seed), why in failed.items() if label == variant.label},
            **{run.seed: f"test {primary} is not finite" for run in mine if run.seed not in test},
        },
        test=test,
        mean=fmean(test.values()) if test else None,
        interval=analysis.intervals.get(variant.label),
        figures=figures,
        training_seconds=mean([run.result["seconds"] for run in mine]),
        tokens_per_second=mean([run.result["tokens_per_second"] for run in mine]),
        peak_memory_bytes=max((run.result["peak_memory_bytes"] for run in mine), default=None),
        seconds_to_target=mean([_seconds_to(run, target, higher) for run in mine]),
        pareto_optimal=False,
    )


def shared_target(bests: Sequence[float], metric: Metric) -> float | None:
    """The worst of the runs' best validations; None where that is the worst that the metric can be (as it is shown,
    to four places): everybody is there without training."""
    if not bests:
        return None
    target = min(bests) if metric.higher_is_better else max(bests)
    worst = metric.lowest if metric.higher_is_better else metric.highest
    return None if worst is not None and round(target, 4) == worst else target


def _seconds_to(run: Run, target: float | None, higher: bool) -> float | None:
    """Training seconds at the first validation that is as good as the target."""
    if target is None:
        return None
    met = (point.seconds for point in run.curve if (point.value >= target if higher else point.value <= target))
    return next(met, None)


def _with_pareto(row: Row, rows: Sequence[Row], higher: bool) -> Row:
    """The row with its Pareto mark: test quality against training time, where a few per cent of time are noise."""

    def beats(other: Row) -> bool:
        if other.mean is None or row.mean is None or other.training_seconds is None or row.training_seconds is None:
            return False
        quality = other.mean - row.mean if higher else row.mean - other.mean
        quicker = other.training_seconds < (1 - _TIME_NOISE) * row.training_seconds
        no_slower = other.training_seconds <= (1 + _TIME_NOISE) * row.training_seconds
        return (quality > 0 and no_slower) or (quality == 0 and quicker)

    optimal = row.mean is not None and not any(beats(other) for other in rows)
    return replace(row, pareto_optimal=optimal)


# --- files -------------------------------------------------------------------------------------------


def as_json(summary: Summary) -> dict[str, Any]:
    """Plain values: what summary.json and --json hold."""
    rows = []
    for row in summary.rows:
        variant = row.variant
        rows.append(
            {
                "label": row.label,
                "model": variant.model,
                "overrides": list(variant.overrides),
                "runs": {str(run.seed): run.folder for run in row.runs},
                "failed": {str(seed): why for seed, why in row.failed.items()},
                "test": {str(seed): value for seed, value in row.test.items()},
                "mean": row.mean,
                "interval": row.interval,
                "figures": dict(row.figures),
                "parameters": variant.sizes and {**asdict(variant.sizes), "all": variant.sizes.params},
                "max_steps": variant.max_steps,
                "training_seconds": row.training_seconds,
                "tokens_per_second": row.tokens_per_second,
                "seconds_to_target": row.seconds_to_target,
                "peak_memory_bytes": row.peak_memory_bytes,
                "flops_per_token": variant.probe and variant.probe.flops_per_token,
                "state_bytes": variant.probe and variant.probe.state_bytes,
                "generated_per_second": variant.probe and variant.probe.generated_per_second,
                "pareto": row.pareto_optimal,
            }
        )
    plain: dict[str, Any] = finite(
        {
            "task": summary.plan.task,
            "command": summary.command,
            "seeds": list(summary.plan.seeds),
            "metric": {
                "name": summary.primary,
                "unit": summary.metric.unit,
                "higher_is_better": summary.metric.higher_is_better,
            },
            "rows": rows,
            "pairs": [
                {**asdict(pair), "significant": pair.significant, "verdict": text}
                for pair, text in zip(summary.pairs, summary.verdicts, strict=True)
            ],
            "over": ["training seeds", *(["test items"] if summary.items is not None else [])],
            "baselines": [
                {"name": b.name, "about": b.about, "test": {name: m.value for name, m in b.metrics.items()}}
                for b in summary.baselines
            ],
            **conditions_json(summary),
            "target": summary.target,
            "budget": summary.plan.budget,
            "match": summary.plan.match,
            "tuned": summary.plan.tuned,
            "notes": list(summary.plan.notes),
        }
    )
    return plain


def write_files(summary: Summary, folder: Path) -> None:
    """summary.json, and summary.csv with one line a run."""
    write_json(folder / "summary.json", as_json(summary))
    runs = [run for row in summary.rows for run in row.runs]
    tests = list(dict.fromkeys(name for run in runs for name in run.result["test"]))
    facts = ("parameters", "steps", "tokens", "seconds", "tokens_per_second", "peak_memory_bytes", "best_step")
    with (folder / "summary.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "model", "seed", *(f"test_{name}" for name in tests), *facts, "folder"])
        for run in runs:
            values = [run.result["test"].get(name) for name in tests]
            writer.writerow(
                [run.label, run.result["model"], run.seed, *values, *(run.result[f] for f in facts), run.folder]
            )
