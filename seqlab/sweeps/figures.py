"""The pictures of a sweep: all trials as parallel coordinates, what mattered, and the validations of each trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from seqlab.comparison.wording import direction
from seqlab.config.overrides import key_of
from seqlab.config.sweeps import Axis
from seqlab.drawing.numbers import number
from seqlab.drawing.picture import COLOURS, SOFT, Picture, plain
from seqlab.sweeps.summary import Summary
from seqlab.sweeps.trial import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_USUAL, _BEST = COLOURS[4], COLOURS[1]
_MOST_TICKS = 9
_OUTLIER = 3.0  # times the distance from the best to the median: beyond that, validations share one place


def figures(summary: Summary) -> list[Picture]:
    """Every picture."""
    metric = f"{summary.primary} ({direction(summary.metric)})"
    axes = [*summary.request.axes.values()]
    found = [
        Picture(
            "parallel-coordinates",
            "All trials",
            "Each line is a trial: its settings, and its validation at the right, the best at the top. The best is "
            "orange and thick. Dotted lines were pruned or have diverged, and have no validation to compare.",
            lambda figure: _parallel(figure.subplots(), summary, axes),
            width=max(9.6, 1.5 * (len(axes) + 1)),
            height=4.2,
        ),
        Picture(
            "trials",
            "Validations of each trial",
            f"Validation {metric} by step. The best trial is orange and thick; a cross ends a trial that was pruned.",
            lambda figure: _curves(figure.subplots(), summary),
        ),
    ]
    if summary.importance:
        rest = max(0.0, 1 - sum(summary.importance.values()))
        joint = f" The rest, {rest:.0%}, is how they act together." if summary.request.search is None else ""
        how = "a grid's main effects" if summary.request.search is None else "fANOVA, Hutter et al. 2014"
        found.append(
            Picture(
                "importance",
                "What mattered",
                f"The share of the variance of validations among complete trials that each setting explains by itself "
                f"({how}).{joint} It is about the values that were tried, not about others.",
                lambda figure: _importance(figure, summary),
                height=1.2 + 0.4 * max(2, len(summary.importance)),
            )
        )
    return found


def _importance(figure: Figure, summary: Summary) -> None:
    axes = figure.subplots()
    keys = list(summary.importance)[::-1]
    shares = [100 * summary.importance[key] for key in keys]
    axes.barh(range(len(keys)), shares, color=COLOURS[0], height=0.6)
    for place, share in enumerate(shares):
        axes.text(share + 1, place, f"{share:.0f} %", va="center")
    axes.set_yticks(range(len(keys)), [plain(key) for key in keys])
    axes.set_xlim(0, 112)
    axes.set_xticks(range(0, 101, 25))
    axes.set_xlabel("share of the variance, %")


def _curves(axes: Axes, summary: Summary) -> None:
    for trial in reversed(summary.trials):  # the best on top
        points = [(step, value) for step, value in trial.validations if value is not None]
        if not points or trial.run != trial.number:
            continue
        best = trial.run == summary.best.run
        x, y = zip(*points, strict=True)
        axes.plot(x, y, color=_BEST if best else _USUAL, linewidth=2.4 if best else 0.9, alpha=1 if best else 0.8)
        if trial.outcome == "pruned":
            axes.plot(x[-1:], y[-1:], "x", color=SOFT, markersize=6)
    ends = [value for trial in summary.trials if trial.outcome == "complete" for _, value in trial.validations[-1:]]
    worst, best_value = _limit([value for value in ends if value is not None], summary), summary.metric.value
    starts = [value for trial in summary.trials for _, value in trial.validations[:1] if value is not None]
    if starts and worst is not None:  # diverging trials would flatten the others
        far = median(starts) + (median(starts) - best_value) * 0.15
        low, high = sorted((best_value - (far - best_value) * 0.05, far))
        axes.set_ylim(low, high)
    axes.set_xlim(left=0)
    axes.set_xlabel("optimizer steps")
    axes.set_ylabel(plain(f"validation {summary.metric.unit or summary.primary}"))


def _limit(values: Sequence[float], summary: Summary) -> float | None:
    """The value at which validations end on a picture: the worst, or less than that where it is far from most."""
    if not values:
        return None
    best, worst = summary.metric.value, summary.metric.worst(values)
    far = best + _OUTLIER * (median(values) - best)
    return far if abs(far - best) < abs(worst - best) and far != best else worst


def _parallel(axes: Axes, summary: Summary, swept: Sequence[Axis]) -> None:
    values = [trial.value for trial in summary.trials if trial.value is not None]
    limit = _limit(values, summary)
    best = summary.metric.value
    span = (limit - best) if limit is not None and limit != best else 1.0
    width = len(swept)

    def line(trial: Trial) -> list[float]:
        chosen = {key_of(word): word.partition("=")[2] for word in trial.overrides}
        heights = [axis.place(chosen[axis.key]) for axis in swept]
        return heights if trial.value is None else [*heights, max(0.0, 1 - (trial.value - best) / span)]

    for trial in reversed(summary.trials):
        y = line(trial)
        if trial is summary.best:
            axes.plot(range(len(y)), y, color=_BEST, linewidth=3, zorder=3, solid_joinstyle="round")
        elif trial.value is None:
            axes.plot(range(len(y)), y, ":", color=SOFT, linewidth=0.9, zorder=1)
        else:
            axes.plot(range(len(y)), y, color=_USUAL, linewidth=1.1, alpha=0.3 + 0.6 * y[-1], zorder=2)
    for place in range(width + 1):
        axes.axvline(place, color=SOFT, linewidth=1, zorder=0)
    for place, axis in enumerate(swept):
        _label(axes, place, _ticks(axis))
    ends = [(1 - 0.25 * part, best + 0.25 * part * span) for part in range(5)]
    beyond = limit is not None and limit != summary.metric.worst(values)
    _label(
        axes, width, [(y, number(value) + (" or worse" if beyond and y == 0 else "")) for y, value in ends], right=True
    )
    names = [axis.key.rpartition(".")[2] for axis in swept]
    axes.set_xticks(range(width + 1), [*map(plain, names), f"validation\n{plain(summary.primary)}"])
    axes.set_yticks([])
    axes.set_xlim(-0.35, width + 0.55)
    axes.set_ylim(-0.06, 1.06)
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)


def _label(axes: Axes, place: int, ticks: Sequence[tuple[float, str]], *, right: bool = False) -> None:
    """Write values beside an axis."""
    for y, text in ticks:
        shift, side = (5, "left") if right else (-5, "right")
        axes.annotate(
            plain(text), (place, y), (shift, 0), textcoords="offset points", ha=side, va="center", fontsize=8, zorder=4
        )


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    """Values with their heights: all of a few, some of many."""
    if axis.values:
        step = math.ceil(len(axis.values) / _MOST_TICKS)
        return [(axis.place(value), value) for value in axis.values[::step]]
    parts = [part / 4 for part in range(5)]
    if axis.log:
        values = [axis.low * (axis.high / axis.low) ** part for part in parts]
    else:
        values = [axis.low + (axis.high - axis.low) * part for part in parts]
    texts = [str(round(value)) if axis.whole else f"{value:.2g}" for value in values]
    return [(axis.place(str(value)), text) for value, text in zip(values, texts, strict=True)]
