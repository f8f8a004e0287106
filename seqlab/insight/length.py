"""Length generalisation: metrics on longer and shorter sequences than in training, and against the bytes of the carried
state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from seqlab.core.baseline import Baseline, chance_of
from seqlab.core.metric import Metric
from seqlab.core.model import readable_positions
from seqlab.core.other_lengths import other_lengths
from seqlab.core.state_bytes import state_bytes
from seqlab.drawing.numbers import bytes_text
from seqlab.drawing.picture import COLOURS, SOFT, STYLES, Picture, legend, legend_columns, legend_height
from seqlab.drawing.scales import binary_scale, log_scale, powers_of_two
from seqlab.errors import ConfigError
from seqlab.insight.inspected import InspectedRun
from seqlab.training.lengths import AtLength, evaluate_lengths, lengths_around
from seqlab.training.seeds import stream_seed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS = "osD^vPX*"
_WIDTH = 9.6  # inches

_ABOUT = (
    "Left: {metric} on the validation split by length of sequence, on as many sequences of each length. The vertical "
    "line is the length of training, and larger marks stand there: on its right is what was never seen in training. "
    "{spread}{chance}{limited}Right: the same at the length of training, against the bytes that one sequence keeps "
    "from one position to the next: hidden states, or a cache of the keys, values and inputs of all positions."
)


@dataclass(frozen=True)
class Generalisation:
    """One run's evaluations by length. name, metric: the primary metric and its value at the training length. bytes: of
    what one sequence keeps; None for nothing."""

    run: InspectedRun
    name: str
    metric: Metric
    lengths: tuple[AtLength, ...]
    trained: int
    bytes: int | None

    @property
    def values(self) -> dict[int, float]:
        """The primary metric by length, where it is a finite number."""
        known = {one.length: one.values[self.name] for one in self.lengths if one.values}
        return {length: value for length, value in known.items() if math.isfinite(value)}


@dataclass(frozen=True)
class Variant:
    """Runs that differ in nothing but the seed, and how they are drawn."""

    label: str
    seeds: tuple[Generalisation, ...]
    colour: str
    mark: str
    style: str

    @property
    def mean(self) -> dict[int, float]:
        """The mean over seeds by length, where all have a value."""
        first, *others = (seed.values for seed in self.seeds)
        shared = [length for length in first if all(length in other for other in others)]
        return {length: fmean((first[length], *(other[length] for other in others))) for length in shared}


def length(runs: Sequence[InspectedRun]) -> list[Picture]:
    """The view of one run, or of several in one picture, with a colour for each model and a legend for each variant.
    Raises ConfigError for tasks whose sequences have only one length, and for runs on different tasks."""
    _check_same_task(runs)
    lengths = sorted({length for run in runs for length in lengths_around(run.task)})
    measured = [_measure(run, lengths) for run in runs]
    first, variants, baseline = measured[0], _variants(measured), chance_of(runs[0].task, "validation")
    chance = {one.length: one.chance[first.name] for one in first.lengths if first.name in one.chance}
    unit = first.metric.unit or first.name.replace("_", " ")

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(3, 2), sharey=True)
        _draw_lengths(left, variants)
        if baseline is not None and chance:
            style = {"color": SOFT, "linewidth": 1.4, "linestyle": (0, (1, 2)), "label": legend(baseline.name)}
            left.plot(list(chance), list(chance.values()), **style)
        _draw_bytes(right, variants)
        _scale(left, first.metric, [*(value for one in measured for value in one.values.values()), *chance.values()])
        left.set(xlabel="length of sequence", ylabel=f"validation {unit}", title="by length of sequence")
        right.set(xlabel="state of one sequence", title="by bytes of state")
        columns = legend_columns(labels, _WIDTH)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=columns)

    labels = [*map(_name, variants), *([] if baseline is None else [baseline.name])]
    data = {
        "metric": first.name,
        "chance": {"length": list(chance), "value": list(chance.values())},
        "runs": [_plain_values(one) for one in measured],
    }
    about = _about(baseline, unit, variants)
    return [Picture("length", "Length generalisation", about, draw, _WIDTH, 4.0 + legend_height(labels, _WIDTH), data)]


def _check_same_task(runs: Sequence[InspectedRun]) -> None:
    """Raise ConfigError unless all are evaluated on the same sequences, once these have the same length."""
    first, *others = runs
    trained = other_lengths(first.task).length()
    for other in others:
        task = other_lengths(other.task).at_length(trained)
        alike = list(task.vocabulary()) == list(first.task.vocabulary())
        if not alike or task.heldout_sha256() != first.task.heldout_sha256():
            raise ConfigError(
                f"{first.folder} and {other.folder} read different data",
                "draw runs on one task in one picture, which may differ in task.length alone",
            )


def _measure(run: InspectedRun, lengths: Sequence[int]) -> Generalisation:
    task, meter = run.task, run.evaluate(run.task.batches("validation", 0))
    seed = stream_seed(run.config.seed, "bootstrap")
    found = evaluate_lengths(run.network, task, lengths, "validation", run.device, seed, meter)
    metric = meter.compute()[meter.primary]
    return Generalisation(
        run, meter.primary, metric, found, other_lengths(task).length(), state_bytes(run.network, task)
    )


def _variants(measured: Sequence[Generalisation]) -> list[Variant]:
    """The runs by variant, in order; a model's variants share its colour and mark, and differ in line style."""
    models = list(dict.fromkeys(one.run.config.names["model"] for one in measured))
    grouped: dict[tuple[str, str], list[Generalisation]] = {}
    for one in measured:
        grouped.setdefault((one.run.config.names["model"], one.run.variant or one.run.label), []).append(one)
    found = []
    for model, label in grouped:
        index, same = models.index(model), [other for of, other in grouped if of == model]
        style = STYLES[same.index(label) % len(STYLES)]
        seeds = tuple(grouped[model, label])
        found.append(Variant(label, seeds, COLOURS[index % len(COLOURS)], _MARKS[index % len(_MARKS)], style))
    return found


def _name(variant: Variant) -> str:
    """In the legend."""
    seeds = f", {len(variant.seeds)} seeds" if len(variant.seeds) > 1 else ""
    return variant.label + seeds + ("" if variant.mean else ": not finite")


def _draw_lengths(axes: Axes, variants: Sequence[Variant]) -> None:
    for variant in variants:
        colour, mean = variant.colour, variant.mean
        axes.plot(
            list(mean), list(mean.values()), variant.style, color=colour, linewidth=1.8, marker=variant.mark,
            markersize=4, label=legend(_name(variant)),
        )  # fmt: skip
        for seed in variant.seeds:
            values = seed.values
            if len(variant.seeds) > 1:
                axes.plot(list(values), list(values.values()), variant.style, color=colour, linewidth=0.8, alpha=0.4)
            elif values:
                low, high = zip(*(one.interval for one in seed.lengths if one.length in values), strict=True)
                axes.fill_between(list(values), low, high, color=colour, alpha=0.15, linewidth=0)
        trained = variant.seeds[0].trained
        if trained in mean:
            axes.plot([trained], [mean[trained]], variant.mark, color=colour, markersize=9)
    for trained in sorted({seed.trained for variant in variants for seed in variant.seeds}):
        axes.axvline(trained, color=SOFT, linewidth=1.2, linestyle=(0, (4, 2)), zorder=1)
    every = sorted({one.length for variant in variants for seed in variant.seeds for one in seed.lengths})
    binary_scale(axes, every, str)


def _draw_bytes(axes: Axes, variants: Sequence[Variant]) -> None:
    """Each run at its training length; the variants of a model are joined in the order of their bytes."""
    shown: set[int] = set()
    joined: dict[tuple[str, str], list[tuple[int, float]]] = {}  # by model, and its colour, which others may share
    for variant in variants:
        points = [(seed.bytes, seed.values.get(seed.trained)) for seed in variant.seeds]
        known = [(held, value) for held, value in points if value is not None and held is not None]
        if not known:
            continue
        shown |= {held for held, _ in known}
        if len(known) > 1:
            axes.plot(*zip(*known, strict=True), variant.mark, color=variant.colour, markersize=4, alpha=0.5)
        held, value = known[0][0], fmean(value for _, value in known)
        axes.plot([held], [value], variant.mark, color=variant.colour, markersize=9)
        joined.setdefault((variant.seeds[0].run.config.names["model"], variant.colour), []).append((held, value))
    for (_, colour), points_of_one in joined.items():
        if len(dict(points_of_one)) == len(points_of_one) > 1:  # one of each size
            axes.plot(*zip(*sorted(points_of_one), strict=True), color=colour, linewidth=1, alpha=0.6)
    binary_scale(axes, powers_of_two(shown), bytes_text)


def _scale(axes: Axes, metric: Metric, values: Sequence[float]) -> None:
    """A logarithmic axis for metrics that are best at zero, else the metric's range if it is bounded."""
    if not metric.higher_is_better:
        log_scale(axes, values)
    elif metric.lowest is not None and metric.highest is not None:
        room = 0.04 * (metric.highest - metric.lowest)  # for marks at the ends
        axes.set_ylim(metric.lowest - room, metric.highest + room)


def _about(baseline: Baseline | None, metric: str, variants: Sequence[Variant]) -> str:
    several = any(len(variant.seeds) > 1 for variant in variants)
    alone = any(len(variant.seeds) == 1 for variant in variants)
    spread = "Bands are 95 % bootstrap intervals over sequences. " if alone else ""
    if several:
        spread += "Where a model has several seeds, its line is their mean and each seed is a thin line. "
    chance = "" if baseline is None else f"Dotted: {baseline.name} ({baseline.about}). "
    limits = {
        variant.label: readable_positions(seed.run.network, seed.run.task.longest())
        for variant in variants
        for seed in variant.seeds
        if any(not one.values and not one.failed for one in seed.lengths)
    }
    limited = "".join(
        f"{label} was trained on {positions} positions: it is not evaluated on longer sequences, where an output "
        "depends on positions that it could not have learned. "
        for label, positions in limits.items()
    )
    limited += "".join(
        f"{seed.run.label} was not evaluated at length {one.length}: {one.failed}. "
        for variant in variants
        for seed in variant.seeds
        for one in seed.lengths
        if one.failed
    )
    return _ABOUT.format(metric=metric, spread=spread, chance=chance, limited=limited)


def _plain_values(measured: Generalisation) -> dict[str, Any]:
    run, reached = measured.run, [one for one in measured.lengths if one.values]
    return {
        "run": str(run.folder),
        "label": run.label,
        "variant": run.variant or run.label,
        "seed": run.config.seed,
        "trained_length": measured.trained,
        "state_bytes": measured.bytes,
        "length": [one.length for one in reached],
        "value": [one.values[measured.name] for one in reached],
        "interval": [list(one.interval) for one in reached],
        "not_evaluated": [one.length for one in measured.lengths if not one.values],
    }
