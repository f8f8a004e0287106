"""The vanishing gradient in a picture: its norm by lag, and its norm during training.

K lags k = 1, 2, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqlab.core.example import context_source
from seqlab.core.model import context_of
from seqlab.drawing.picture import COLOURS, SOFT, STYLES, Picture, legend, legend_columns, legend_height
from seqlab.drawing.scales import log_scale
from seqlab.errors import ConfigError
from seqlab.insight.inspected import InspectedRun, check_same_data, longest_context
from seqlab.insight.norms import NormHistory, draw_norms
from seqlab.insight.reach import SMALL, Curve, Reach, lag_under, measure
from seqlab.metrics import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POSITIONS = 256
_WIDTH = 9.6  # inches

_ABOUT = (
    "Left: how much the loss at position t depends on what the network held k positions earlier, as the norm of the "
    "gradient. Lines are medians over positions of the validation split, bands the middle half of them, and each curve "
    "is divided by its maximum. A straight line downwards is a gradient that vanishes exponentially: below the dotted "
    "line (1 %) training learns next to nothing from what is so far back. A line upwards is one that explodes.{wrt} "
    "Right: the norm of the gradient during training, before clipping; pale is its highest value in each log interval, "
    "dashed the norm to which it was clipped, where it was."
)

_ABOUT_CUT = (
    " A vertical line is the window of truncated backpropagation: training never followed a gradient further back, "
    "whatever reaches beyond it here."
)


def gradient(runs: Sequence[InspectedRun]) -> list[Picture]:
    """The view of one run, or of several over each other. Gradients that are zero or not finite are not drawn on
    its logarithmic scale; the description names them."""
    check_same_data(runs)
    reaches, windows = [], []
    for run in runs:
        longest = run.task.longest()
        most = min(longest, context_of(run.network) or longest)
        reach = longest_context(run.task, 2 * most)
        # a sequence that does not go on beyond what training reads is followed to its beginning
        window = reach if reach <= most else reach // 2
        if window < 2:
            raise ConfigError("its window is a single token: there is no lag to measure")
        context = window if reach <= most else 2 * window
        batches = list(context_source(run.task).contexts("validation", context, context, _POSITIONS))
        reaches.append(measure(run.network, batches, window))
        windows.append(window)
    curves = [Curve.of(reach.norms) for reach in reaches]
    histories = [NormHistory.of(run.folder, run.config.trainer.clip_norm) for run in runs]
    truncations = [run.config.trainer.bptt_steps for run in runs]
    cut = sorted({k for k, window in zip(truncations, windows, strict=True) if k is not None and k < window})
    labels = [_label(run, reach, curve) for run, reach, curve in zip(runs, reaches, curves, strict=True)]
    data = [
        _plain_values(run, reach, window) | {"training": history.as_json()}
        for run, reach, window, history in zip(runs, reaches, windows, histories, strict=True)
    ]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        for index, (label, curve) in enumerate(zip(labels, curves, strict=True)):
            _draw_curve(left, label, curve, index)
        _finish_curves(left, curves)
        for steps in cut:
            left.axvline(steps, color=SOFT, linewidth=1.2, linestyle=(0, (4, 2)), zorder=1)
        draw_norms(right, histories)
        columns = legend_columns(labels, _WIDTH)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=columns)

    about = _ABOUT.format(wrt=_carriers(runs, reaches)) + _degenerate(runs, curves) + _nonfinite(runs, histories)
    if cut:
        about += _ABOUT_CUT
    height = 4.0 + legend_height(labels, _WIDTH)
    return [Picture("gradient", "Gradient through time", about, draw, _WIDTH, height, {"runs": data})]


def _label(run: InspectedRun, reach: Reach, curve: Curve) -> str:
    """In the legend."""
    return f"{legend(run.label)} ({'inputs' if reach.state_NK is None else 'state'}): {curve.describe()}"


def _carriers(runs: Sequence[InspectedRun], reaches: Sequence[Reach]) -> str:
    without = [s.label for s, reach in zip(runs, reaches, strict=True) if reach.state_NK is None]
    return (
        f" {', '.join(without)} carries no state; its gradient is that with respect to the inputs." if without else ""
    )


def _degenerate(runs: Sequence[InspectedRun], curves: Sequence[Curve]) -> str:
    """A sentence on each run whose gradient is zero or not finite somewhere."""
    sentences = ""
    for run, curve in zip(runs, curves, strict=True):
        if curve.nonfinite_from is not None:
            sentences += f" {run.label}: the gradient is not finite from lag {curve.nonfinite_from} on."
        elif curve.zero_from is not None:
            why = (
                "as where every unit is saturated: nothing can be learned from the past."
                if curve.zero_from == 1
                else "smaller than the smallest number of fp32."
            )
            sentences += f" {run.label}: the gradient is exactly 0 from lag {curve.zero_from} on, {why}"
    return sentences


def _nonfinite(runs: Sequence[InspectedRun], histories: Sequence[NormHistory]) -> str:
    """A sentence on each run in which the loss or the gradient was not finite at some steps."""
    sentences = ""
    for run, history in zip(runs, histories, strict=True):
        if history.ended is not None:
            sentences += (
                f" {run.label}: training ended at step {history.ended:,}, as its loss or gradient was no longer finite."
            )
        elif history.skipped:
            sentences += f" {run.label}: {history.lines[-1].nonfinite:,} steps were skipped: not finite."
    return sentences


def _plain_values(run: InspectedRun, reach: Reach, window: int) -> dict[str, Any]:
    def values(norm_NK: Floats) -> dict[str, Any]:
        curve = Curve.of(norm_NK)
        return {
            "median": curve.median_K.tolist(),
            "quartiles": [curve.low_K.tolist(), curve.high_K.tolist()],
            "lag_under_1_percent": lag_under(curve.median_K),
            "zero_from_lag": curve.zero_from,
            "not_finite_from_lag": curve.nonfinite_from,
        }

    return {
        "run": str(run.folder),
        "label": run.label,
        "window": window,
        "positions": len(reach.input_NK),
        "bptt_steps": run.config.trainer.bptt_steps,
        "clip_norm": run.config.trainer.clip_norm,
        "state": None if reach.state_NK is None else values(reach.state_NK),
        "inputs": values(reach.input_NK),
    }


def _draw_curve(axes: Axes, label: str, curve: Curve, index: int) -> None:
    colour, style = COLOURS[index % len(COLOURS)], STYLES[index % len(STYLES)]
    if curve.top == 0:
        axes.plot([], [], style, color=colour, linewidth=1.8, label=label)  # the legend names it all the same
        return
    lag_K, under = np.arange(1, len(curve.median_K) + 1), lag_under(curve.median_K)
    low_K, median_K, high_K = (
        np.where(np.isfinite(part_K) & (part_K > 0), part_K, np.nan) / curve.top
        for part_K in (curve.low_K, curve.median_K, curve.high_K)
    )
    axes.plot(lag_K, median_K, style, color=colour, linewidth=1.8, label=label)
    axes.fill_between(lag_K, low_K, high_K, color=colour, alpha=0.18, linewidth=0)
    if under is not None and under != curve.zero_from:
        axes.plot([under], [median_K[under - 1]], "o", color=colour, markersize=6)


def _finish_curves(axes: Axes, curves: Sequence[Curve]) -> None:
    from matplotlib.ticker import MaxNLocator

    shares = [value / curve.top for curve in curves if curve.top for value in curve.median_K if 0 < value < np.inf]
    axes.axhline(SMALL, color=SOFT, linewidth=1.2, linestyle=(0, (1, 2)))
    log_scale(axes, [SMALL, 1.0, *(max(1e-8, share) for share in shares)])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(top=3)  # for the bands, which pass the maximum of the medians
    axes.set(
        xlabel="lag k, positions",
        ylabel=r"$\Vert\,\partial L_t / \partial h_{t-k}\,\Vert$  /  its maximum",
        title="gradient of the loss at t, by lag",
    )
