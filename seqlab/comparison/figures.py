"""The pictures of a comparison: validation curves with bands over seeds, and test figures with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from seqlab.comparison.summary import Row, Summary
from seqlab.comparison.wording import direction
from seqlab.drawing.numbers import compact
from seqlab.drawing.picture import COLOURS, SOFT, STYLES, Picture, legend, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Curve:
    """A model's validations: x and y are means over seeds at each validated step, low and high their range."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


AXES: dict[str, tuple[str, str]] = {
    "step": ("by step", "optimizer steps"),
    "token": ("by token", "tokens read"),
    "second": ("by second", "seconds of training"),
    "flop": ("by FLOP", "floating-point operations of training"),
}


def curve(row: Row, axis: str) -> Curve | None:
    """The curve of one model; None where FLOPs were not measured or no step was validated in all seeds."""
    flops = row.variant.probe.flops_per_token if row.variant.probe is not None else None
    if axis == "flop" and flops is None:
        return None
    by_run = [{point.step: point for point in run.curve} for run in row.runs]
    steps = sorted(set.intersection(*(set(points) for points in by_run))) if by_run else []
    if not steps:
        return None
    columns = [[points[step] for points in by_run] for step in steps]
    x = {
        "step": [float(step) for step in steps],
        "token": [fmean(p.tokens for p in column) for column in columns],
        "second": [fmean(p.seconds for p in column) for column in columns],
        "flop": [fmean(p.tokens for p in column) * (flops or 0) for column in columns],
    }[axis]
    values = [[p.value for p in column] for column in columns]
    return Curve(tuple(x), *(tuple(f(v) for v in values) for f in (fmean, min, max)))


def _order(summary: Summary) -> dict[str, int]:
    """The place of each model in the command, which gives its colour in every picture: that of its rank would change
    with the results."""
    return {variant.label: place for place, variant in enumerate(summary.plan.variants)}


def _draw_curves(axes: Axes, summary: Summary, axis: str) -> None:
    from matplotlib.ticker import FuncFormatter

    order = _order(summary)
    for row in sorted(summary.rows, key=lambda row: order[row.label]):
        index = order[row.label]
        found = curve(row, axis)
        if found is None:
            continue
        colour = COLOURS[index % len(COLOURS)]
        style = STYLES[(index + index // len(COLOURS)) % len(STYLES)]
        axes.plot(
            found.x, found.y, style, color=colour, label=legend(row.label), linewidth=1.8, marker="o", markersize=3
        )
        if len(row.runs) > 1:
            axes.fill_between(found.x, found.low, found.high, color=colour, alpha=0.2, linewidth=0)
    shown = [b for b in summary.baselines if summary.primary in b.metrics]
    naive = min(shown, key=lambda b: b.metrics[summary.primary].rank, default=None)
    level = naive.metrics[summary.primary].value if naive is not None else 0.0
    low, high = axes.get_ylim()
    # a distant one would flatten the curves
    if naive is not None and low - 0.5 * (high - low) <= level <= high + 0.5 * (high - low):
        axes.axhline(level, color=SOFT, linewidth=1, linestyle=(0, (1, 2)), label=f"{naive.name} (test)")
    axes.set_xlabel(AXES[axis][1])
    axes.set_ylabel(f"validation {summary.unit}")
    if axis != "second":
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value) if value else "0"))
    axes.set_xlim(left=0)
    axes.legend()


def _draw_results(axes: Axes, summary: Summary) -> None:
    rows = [(row, row.mean) for row in summary.rows if row.mean is not None]
    order = _order(summary)
    for place, (row, mean) in enumerate(reversed(rows)):
        colour = COLOURS[order[row.label] % len(COLOURS)]
        if row.interval is not None:
            axes.plot(row.interval, (place, place), color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot([mean], [place], "D", color=colour, markersize=7)
        axes.plot(list(row.test.values()), [place - 0.18] * len(row.test), "o", color=colour, alpha=0.65, markersize=4)
    axes.set_yticks(range(len(rows)), [plain(row.label) for row, _ in reversed(rows)])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    for index, baseline in enumerate(b for b in summary.baselines if summary.primary in b.metrics):
        style = STYLES[1 + index % 3]
        value = baseline.metrics[summary.primary].value
        axes.axvline(value, color=SOFT, linewidth=1, linestyle=style, label=baseline.name)
    axes.set_xlabel(f"test {summary.unit} ({direction(summary.metric)})")
    if summary.baselines:
        axes.legend(loc="best")


def figures(summary: Summary) -> dict[str, Picture]:
    """Every picture by its name."""
    pictures = [
        Picture(
            f"curves-by-{axis}",
            f"Validation {title}",
            f"Validation {summary.primary} {title}: mean over seeds; the band holds all of them.",
            lambda figure, axis=axis: _draw_curves(figure.subplots(), summary, axis),  # type: ignore[misc]
        )
        for axis, (title, _) in AXES.items()
        if any(curve(row, axis) for row in summary.rows)
    ]
    naive = " Vertical lines are what is reached without a network." if summary.baselines else ""
    pictures.append(
        Picture(
            "results",
            "Results",
            f"Test {summary.primary}: the diamond is the mean, the bar its 95 % interval {summary.over}, "
            "dots are seeds." + naive,
            lambda figure: _draw_results(figure.subplots(), summary),
            height=1.4 + 0.5 * max(2, len(summary.rows)),
        )
    )
    return {picture.name: picture for picture in pictures}
