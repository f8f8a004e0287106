"""What the runs of a comparison came to: one row a model, the pairs, the baselines. Read from the runs' files alone, so
that it can be made again at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from seqlab.comparison.design import Sample
from seqlab.comparison.intervals import Interval
from seqlab.comparison.plan import Plan, Variant
from seqlab.comparison.reading import CompletedRun
from seqlab.comparison.statistics import Analysis, Difference, analyse, tested
from seqlab.comparison.times import Times
from seqlab.comparison.verdict import verdict
from seqlab.core.baseline import Baseline
from seqlab.core.metric import Metric

_TIME_NOISE = 0.05


@dataclass(frozen=True)
class Row:
    """One model over its seeds. test: the primary metric by seed; figures: each metric's mean over seeds. interval: of
    the mean, 95 %, over what the verdicts are over. seconds_to_target: mean training time until the shared target was
    first met. pareto_optimal: nothing else is both better on test and quicker to train."""

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
    """Everything the report says. target: the worst of the runs' best validations, which every run has met. times: None
    where no run was made here."""

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
        return self.metric.unit or self.primary.replace("_", " ")


def summarise(
    plan: Plan,
    runs: Sequence[CompletedRun],
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
    bests = [metric.best(point.value for point in run.curve) for run in runs if run.curve]
    target = shared_target(bests, metric)
    analysis = analyse(_samples(plan, runs, primary), metric)
    rows = [_row(variant, runs, failed, primary, target, metric, analysis) for variant in plan.variants]
    rows = [_with_pareto(row, rows, metric) for row in rows]
    rows.sort(key=lambda row: (row.mean is None, metric.gain(0.0, row.mean or 0.0)))
    order = {row.label: place for place, row in enumerate(rows)}
    pairs = sorted(analysis.pairs, key=lambda pair: (order[pair.first], order[pair.second]))
    unit = metric.unit or primary.replace("_", " ")
    verdicts = tuple(verdict(pair, unit, tested(pairs)) for pair in pairs)
    return Summary(
        plan, tuple(rows), tuple(pairs), verdicts, tuple(baselines), primary, metric, target, command, analysis
    )


def _samples(plan: Plan, runs: Sequence[CompletedRun], primary: str) -> dict[str, Sample]:
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
    """The worst of the runs' best validations; None where that is the worst that the metric can be (as it is shown,
    to four places): everybody is there without training."""
    if not bests:
        return None
    target = metric.worst(bests)
    return None if metric.worst_possible is not None and round(target, 4) == metric.worst_possible else target


def _seconds_to(run: CompletedRun, target: float | None, metric: Metric) -> float | None:
    """Training seconds at the first validation that is as good as the target."""
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
