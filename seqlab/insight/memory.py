"""How much context a network uses: its loss when it reads only the last k positions before a target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seqlab.core.batch import targets_in
from seqlab.core.example import context_source
from seqlab.core.metric import Metric
from seqlab.core.model import context_of
from seqlab.drawing.picture import COLOURS, SOFT, STYLES, Picture, legend, legend_columns, legend_height
from seqlab.drawing.scales import log_scale
from seqlab.insight.inspected import InspectedRun, check_same_data, longest_context

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TARGETS = 1024
_WIDTH = 9.6  # inches
_FLOOR = 1e-3  # smaller differences are noise
_NEAR = 0.01  # of the best value: as good as it

_ABOUT = (
    "The primary metric at the same {targets} targets of the validation split when the network reads only the k "
    "positions before each, from its initial state. Where the curve is flat, more context does not help: the marked k "
    "is the smallest k whose value is within 1 % of the best. Right: the difference from the best value (smaller ones "
    "are drawn at {floor:g}). Bands are 95 % bootstrap intervals over targets; they show the uncertainty of a level, "
    "which is much larger than that of differences along a curve, since these are between the same targets. The "
    "vertical line is the training window. Where sequences go on, a model that carries a state is also measured beyond "
    "it; one that does not was never trained on positions beyond it, and is measured up to it."
)


@dataclass(frozen=True)
class Loss:
    """The primary metric with `context` positions of context."""

    context: int
    metric: Metric
    interval: tuple[float, float]


def measure(run: InspectedRun, contexts: Sequence[int], longest: int) -> list[Loss]:
    """The primary metric on validation for each length of context, at the same targets."""
    source = context_source(run.task)
    meters = [run.evaluate(source.contexts("validation", steps, longest, _TARGETS)) for steps in contexts]
    return [
        Loss(steps, meter.compute()[meter.primary], meter.interval(0))
        for steps, meter in zip(contexts, meters, strict=True)
    ]


def effective(losses: Sequence[Loss]) -> int | None:
    """The least context with a value within 1 % of the best; None where no value is finite."""
    best = _best(losses)
    near = (loss.context for loss in losses if abs(loss.metric.value - best) <= _NEAR * abs(best))
    return next(near, None)


def _best(losses: Sequence[Loss]) -> float:
    values = [loss.metric.value for loss in losses if math.isfinite(loss.metric.value)]
    pick = max if losses[0].metric.higher_is_better else min
    return pick(values, default=math.nan)


def _describe(losses: Sequence[Loss]) -> str:
    """The legend of a curve."""
    missing = sum(not math.isfinite(loss.metric.value) for loss in losses)
    if missing == len(losses):
        return "its loss is not finite"
    return f"within 1 % of its best from k = {effective(losses)}" + (
        f", not finite at {missing} of {len(losses)} lengths" if 0 < missing < len(losses) else ""
    )


def _finite(value: float) -> float:
    """The value, or nan, which is not drawn, if it is infinite."""
    return value if math.isfinite(value) else math.nan


def lengths(window: int, longest: int) -> list[int]:
    """1, 2, 4, ... up to `longest`, with values between them from 8 up to the training window, and the window."""
    powers = {2**n for n in range(longest.bit_length())}
    between = {3 * 2**n for n in range(2, window.bit_length()) if 3 * 2**n < window}
    return sorted(length for length in {*powers, *between, window, longest} if length <= longest)


def memory(runs: Sequence[InspectedRun]) -> list[Picture]:
    """The view of one run, or of several over each other."""
    check_same_data(runs)
    windows = [run.config.trainer.bptt_steps or run.task.longest() for run in runs]
    # a model that carries a state was trained on longer texts than its window
    furthest = [longest_context(run.task, context_of(run.network) or 4 * run.task.longest()) for run in runs]
    measured = [
        measure(run, lengths(window, longest), max(furthest))
        for run, window, longest in zip(runs, windows, furthest, strict=True)
    ]
    data = [
        {
            "run": str(run.folder),
            "label": run.label,
            "window": window,
            "context": [loss.context for loss in losses],
            "value": [loss.metric.value for loss in losses],
            "interval": [list(loss.interval) for loss in losses],
            "unit": losses[0].metric.unit,
            "effective_context": effective(losses),
        }
        for run, window, losses in zip(runs, windows, measured, strict=True)
    ]

    labels = [f"{legend(run.label)}: {_describe(losses)}" for run, losses in zip(runs, measured, strict=True)]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        gaps: list[float] = []
        for index, (label, losses) in enumerate(zip(labels, measured, strict=True)):
            colour, style, enough = COLOURS[index % len(COLOURS)], STYLES[index % len(STYLES)], effective(losses)
            context, value = [loss.context for loss in losses], [_finite(loss.metric.value) for loss in losses]
            low, high = zip(*(map(_finite, loss.interval) for loss in losses), strict=True)
            left.plot(context, value, style, color=colour, linewidth=1.8, label=label)
            left.fill_between(context, low, high, color=colour, alpha=0.12, linewidth=0)
            best = _best(losses)
            missed = [max(abs(one - best), _FLOOR) for one in value]  # nan stays nan
            gaps += missed
            right.plot(context, missed, style, color=colour, linewidth=1.8)
            if enough is not None:
                place = context.index(enough)
                left.plot([enough], [value[place]], "o", color=colour, markersize=6)
                right.plot([enough], [missed[place]], "o", color=colour, markersize=6)
        for axes in (left, right):
            for window in sorted(set(windows)):
                axes.axvline(window, color=SOFT, linewidth=1.2, linestyle=(0, (4, 2)))
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
            axes.set_xlabel("k: positions of context")
        unit = measured[0][0].metric.unit or runs[0].task.meter("validation").primary.replace("_", " ")
        left.set(ylabel=f"validation {unit}", title="by length of context")
        right.set(ylabel=unit, title="difference from the best")
        log_scale(right, gaps)
        figure.legend(loc="outside lower center", ncols=legend_columns(labels, _WIDTH))

    targets = targets_in(context_source(runs[0].task).contexts("validation", 1, max(furthest), _TARGETS))
    about = _ABOUT.format(targets=f"{targets:,}", floor=_FLOOR)
    return [
        Picture(
            "memory",
            "Loss by length of context",
            about,
            draw,
            _WIDTH,
            4.0 + legend_height(labels, _WIDTH),
            {"runs": data},
        )
    ]
