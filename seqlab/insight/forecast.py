"""Forecasts with their bands over what came, and their errors by steps ahead.

T values of the history, H steps ahead, Q quantiles, N forecasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqlab.core.forecast import Forecast, forecast_source
from seqlab.core.items import Floats
from seqlab.drawing.picture import COLOURS, SOFT, Picture, legend, plain
from seqlab.errors import ConfigError
from seqlab.insight.inspected import InspectedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN, _READ = 4, 200  # forecasts that are drawn, and over which errors are averaged
_MOST_SERIES = 4
_TICKS = 4

_ABOUT = (
    "{shown} forecasts of {name} from the validation split, evenly spread. Beyond the vertical line, thin: what "
    "came; thick: the median that the network predicts; the shades are bands between its quantiles. The "
    "widest, from {low:g} to {high:g}, should hold {share:.0%} of what comes; over {all} forecasts it holds "
    "{covered:.0%}. The dotted line is the simple forecast that a network must beat to be of use. Below: the mean "
    "absolute error of both by steps ahead, over the {all} forecasts."
)


def forecast(run: InspectedRun) -> list[Picture]:
    """Forecasts of each series, and their errors by steps ahead."""
    found = forecast_source(run.task).forecasts(run.network, _READ)
    if not all(np.isfinite(one.quantile_HQ).all() for one in found):
        raise ConfigError("its forecasts are not finite", "its weights have diverged: train it again")
    names = list(dict.fromkeys(one.name for one in found))[:_MOST_SERIES]
    return [_picture([one for one in found if one.name == name], place) for place, name in enumerate(names, 1)]


def _picture(found: Sequence[Forecast], place: int) -> Picture:
    places = np.linspace(0, len(found) - 1, min(_SHOWN, len(found))).round().astype(int).tolist()
    shown, levels = [found[row] for row in places], found[0].levels
    truth_NH, quantile_NHQ = (np.stack([getattr(one, name) for one in found]) for name in ("truth_H", "quantile_HQ"))
    known_NH = ~np.isnan(truth_NH)
    inside_NH = (quantile_NHQ[..., 0] <= truth_NH) & (truth_NH <= quantile_NHQ[..., -1])
    covered = float(inside_NH[known_NH].mean()) if known_NH.any() else 0.0
    errors = {
        "network": _mean_error(truth_NH, np.stack([one.median for one in found])),
        found[0].naive_name: _mean_error(truth_NH, np.stack([one.naive_H for one in found])),
    }

    def draw(figure: Figure) -> None:
        rows = -(-len(shown) // 2)
        grid = figure.add_gridspec(rows + 1, 2)
        for index, one in enumerate(shown):
            _draw_forecast(figure.add_subplot(grid[index // 2, index % 2]), one)
        _draw_errors(figure.add_subplot(grid[rows, :]), list(errors.values()))
        handles, labels = figure.get_axes()[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4)

    about = _ABOUT.format(
        shown=len(shown), name=found[0].name, low=levels[0], high=levels[-1], share=levels[-1] - levels[0],
        all=len(found), covered=covered,
    )  # fmt: skip
    data = {
        "levels": list(levels),
        "covered": covered,
        "error_by_step": {name: error_H.tolist() for name, error_H in errors.items()},
        "forecasts": [
            {
                "labels": list(one.labels[len(one.history_T) :]),
                "truth": one.truth_H.tolist(),
                "quantiles": one.quantile_HQ.tolist(),
            }
            for one in shown
        ],
    }
    name = "forecast" if place == 1 else f"forecast-{place}"
    return Picture(name, f"Forecasts of {found[0].name}", about, draw, 10.0, 2.2 * -(-len(shown) // 2) + 2.6, data)


def _mean_error(truth_NH: Floats, point_NH: Floats) -> Floats:
    """(H,): over forecasts whose truth is known; nan where none is."""
    known_NH = ~np.isnan(truth_NH)
    total_H = np.where(known_NH, np.abs(truth_NH - point_NH), 0.0).sum(0)
    count_H = known_NH.sum(0)
    return np.asarray(np.where(count_H > 0, total_H / np.maximum(count_H, 1), np.nan))


def _draw_forecast(axes: Axes, one: Forecast) -> None:
    past, points, bands = len(one.history_T), len(one.labels), len(one.levels) // 2
    time_H, ink = np.arange(past, points), axes.xaxis.label.get_color()
    for band in range(bands):
        edges = (one.quantile_HQ[:, band], one.quantile_HQ[:, -1 - band])
        axes.fill_between(time_H, *edges, color=COLOURS[0], alpha=0.6 / bands, linewidth=0, label="_" * band + "bands")
    axes.plot(time_H, one.median, color=COLOURS[0], linewidth=2.4, label="median")
    axes.plot(time_H, one.naive_H, ":", color=COLOURS[1], linewidth=1.4, label=legend(one.naive_name))
    came = np.concatenate((one.history_T, one.truth_H))
    axes.plot(np.arange(points), came, color=ink, linewidth=0.9, label="what came")
    axes.axvline(past - 0.5, color=SOFT, linewidth=0.8)
    ticks = np.linspace(0, points - 1, _TICKS).round().astype(int).tolist()
    axes.set_xticks(ticks, [plain(one.labels[tick]) for tick in ticks], fontsize=7)


def _draw_errors(axes: Axes, errors: Sequence[Floats]) -> None:
    for error_H, colour, style in zip(errors, COLOURS, ("-", ":"), strict=False):
        axes.plot(np.arange(1, len(error_H) + 1), error_H, style, color=colour, linewidth=1.6)
    axes.set(xlabel="steps ahead", ylabel="mean absolute error", ylim=(0, None))
