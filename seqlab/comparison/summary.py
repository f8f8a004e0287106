"""The results of a comparison: a row for each model, the pairs, the baselines. Made from the runs' files alone, so that
it can be made again at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean

from seqlab.comparison.against_baseline import against_baseline
from seqlab.comparison.design import Sample
from seqlab.comparison.intervals import Interval
from seqlab.comparison.plan import Plan, Variant
from seqlab.comparison.reading import CompletedRun
from seqlab.comparison.statistics import Analysis, Difference, analyse, tested
from seqlab.comparison.times import Times
from seqlab.comparison.verdict import baseline_verdict, verdict
from seqlab.core.baseline import Baseline
from seqlab.core.metric import Metric

_TIME_NOISE = 0.05  # of training time


@dataclass(frozen=True)
class Row:
    """One model over its seeds. failed: reasons by seed. test: the primary metric by seed, and mean and interval (95 %)
    of it; figures: each metric's mean over seeds. training_seconds, tokens_per_second: means over seeds.
    peak_memory_bytes: the most of any run. seconds_to_target: mean training time until the shared target was first met.
    pareto_optimal: no other model is both better on test and quicker to train."""

    variant: Variant
    runs: tuple[CompletedRun, ...]
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
    """Everything that the report says. rows: the best model first. verdicts: a sentence for each of pairs. metric:
    unit, direction and range of the primary metric. target: the worst of the runs' best validations, which every run
    has reached. times: None where no run was made here."""

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
    times: Times | None = None

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
        return _unit(self.metric, self.primary)

    @cached_property
    def against_baseline(self) -> str:
        """Which models are better than the best baseline, or that none is; "" without a baseline."""
        samples = _samples(self.plan, [run for row in self.rows for run in row.runs], self.primary)
        found = against_baseline(samples, self.baselines, self.primary, self.metric)
        return "" if found is None else baseline_verdict(found, self.unit)


def summarise(
    plan: Plan,
    runs: Sequence[CompletedRun],
    failed: Mapping[tuple[str, int], str],
    baselines: Sequence[Baseline],
    command: str,
) -> Summary | None:
    """Summarise complete runs; None if there are none. failed: reasons by label and seed. command: for the report."""
    if not runs:
        return None
    primary = str(runs[0].result["primary"])
    kind = runs[0].result["metrics"][primary]
    # results of earlier versions lack the range
    metric = Metric(0.0, kind["unit"], kind["higher_is_better"], kind.get("lowest"), kind.get("highest"))
    bests = [metric.best(point.value for point in run.curve) for run in runs if run.curve]
    target = shared_target(bests, metric)
    analysis = analyse(_samples(plan, runs, primary), metric)
    rows = [_row(variant, runs, failed, primary, target, metric, analysis) for variant in plan.variants]
    rows = [_with_pareto(row, rows, metric) for row in rows]
    rows.sort(key=lambda row: (row.mean is None, metric.gain(0.0, row.mean or 0.0)))
    order = {row.label: place for place, row in enumerate(rows)}
    pairs = sorted(analysis.pairs, key=lambda pair: (order[pair.first], order[pair.second]))
    verdicts = tuple(verdict(pair, _unit(metric, primary), tested(pairs)) for pair in pairs)
    return Summary(
        plan, tuple(rows), tuple(pairs), verdicts, tuple(baselines), primary, metric, target, command, analysis
    )


def _unit(metric: Metric, primary: str) -> str:
    return metric.unit or primary.replace("_", " ")


def _samples(plan: Plan, runs: Sequence[CompletedRun], primary: str) -> dict[str, Sample]:
    """Each model's figures on test, in the plan's order; without runs whose figure is not finite."""
    found: dict[str, Sample] = {}
    for variant in plan.variants:
        known = [run for run in runs if run.label == variant.label and run.result["test"][primary] is not None]
        if known:
            values = {run.seed: float(run.result["test"][primary]) for run in known}
            found[variant.label] = Sample(values, {run.seed: run.items or () for run in known})
    return found


def _row(
    variant: Variant,
    runs: Sequence[CompletedRun],
    failed: Mapping[tuple[str, int], str],
    primary: str,
    target: float | None,
    metric: Metric,
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
        seconds_to_target=mean([_seconds_to(run, target, metric) for run in mine]),
        pareto_optimal=False,
    )


def shared_target(bests: Sequence[float], metric: Metric) -> float | None:
    """The worst of the runs' best validations; None where that is the worst possible value (to the four places shown),
    which every model has before training."""
    if not bests:
        return None
    target = metric.worst(bests)
    return None if metric.worst_possible is not None and round(target, 4) == metric.worst_possible else target


def _seconds_to(run: CompletedRun, target: float | None, metric: Metric) -> float | None:
    """Training seconds until the first validation that is as good as the target."""
    if target is None:
        return None
    return next((point.seconds for point in run.curve if metric.gain(point.value, target) >= 0), None)


def _with_pareto(row: Row, rows: Sequence[Row], metric: Metric) -> Row:
    """The row with its Pareto mark: test quality against training time, where a few per cent of time are noise."""

    def beats(other: Row) -> bool:
        if other.mean is None or row.mean is None or other.training_seconds is None or row.training_seconds is None:
            return False
        quality = metric.gain(other.mean, row.mean)
        quicker = other.training_seconds < (1 - _TIME_NOISE) * row.training_seconds
        no_slower = other.training_seconds <= (1 + _TIME_NOISE) * row.training_seconds
        return (quality > 0 and no_slower) or (quality == 0 and quicker)

    optimal = row.mean is not None and not any(beats(other) for other in rows)
    return replace(row, pareto_optimal=optimal)
