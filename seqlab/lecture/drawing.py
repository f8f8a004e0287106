"""A picture of the figure by which a claim is decided: over the number in the models' labels, or model by model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING

from seqlab.drawing.numbers import compact
from seqlab.drawing.picture import COLOURS, STYLES, Picture, legend, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ABOUT = "{words}: the diamond is the mean over seeds, dots are seeds."

Values = Mapping[str, Mapping[int, float]]
"""A figure by the label of a model, and by seed."""


def in_plain_words(figure: str) -> str:
    """gradient:state.lag_under_1_percent: gradient, state, lag under 1 percent."""
    return figure.replace("_", " ").replace(":", ", ").replace(".", ", ")


def draw_figure(figure: str, values: Values) -> Picture:
    """Lines over the number where every label is `NAME, NUMBER` and a name has two or more; else a row for each model.
    Values that are not finite are left out."""
    finite = {
        label: {seed: value for seed, value in of_label.items() if math.isfinite(value)}
        for label, of_label in values.items()
    }
    words = in_plain_words(figure)
    lines = _by_number(finite)

    def draw(into: Figure) -> None:
        axes = into.subplots()
        if lines is None:
            _draw_rows(axes, finite, words)
        else:
            _draw_lines(axes, lines, words)

    height = 3.8 if lines else 1.4 + 0.45 * max(2, len(values))
    about = _ABOUT.format(words=words.capitalize())
    data = {"figure": figure, "values": {label: list(of_label.values()) for label, of_label in values.items()}}
    return Picture(figure.replace(":", "-"), words, about, draw, height=height, data=data)


def _by_number(values: Values) -> dict[str, dict[float, list[float]]] | None:
    """By name and number; None where labels are not made so, or no line would have two points."""
    lines: dict[str, dict[float, list[float]]] = {}
    for label, of_label in values.items():
        name, comma, number = label.rpartition(", ")
        if not comma or not number.isdecimal():
            return None
        lines.setdefault(name, {})[float(number)] = list(of_label.values())
    return lines if any(len(points) > 1 for points in lines.values()) else None


def _draw_lines(axes: Axes, lines: Mapping[str, Mapping[float, list[float]]], words: str) -> None:
    numbers = sorted({number for points in lines.values() for number in points})
    for index, (name, points) in enumerate(lines.items()):
        colour, style = COLOURS[index % len(COLOURS)], STYLES[index % len(STYLES)]
        told = {number: found for number, found in sorted(points.items()) if found}
        means = [fmean(found) for found in told.values()]
        axes.plot(list(told), means, style, marker="D", markersize=5, color=colour, linewidth=1.8, label=legend(name))
        for number, found in told.items():
            axes.plot([number] * len(found), found, "o", color=colour, alpha=0.5, markersize=3)
    axes.set_xscale("log", base=2)
    axes.set_xticks(numbers, [f"{number:g}" for number in numbers])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: compact(value) if value else "0")
    axes.set_ylim(bottom=0)
    axes.set(xlabel="T, positions", ylabel=words)
    axes.legend()


def _draw_rows(axes: Axes, values: Values, words: str) -> None:
    labels = list(values)
    for index, label in enumerate(labels):
        place = len(labels) - 1 - index  # the first on top
        colour, found = COLOURS[index % len(COLOURS)], list(values[label].values())
        if found:
            axes.plot([fmean(found)], [place], "D", color=colour, markersize=7)
            axes.plot(found, [place - 0.18] * len(found), "o", color=colour, alpha=0.65, markersize=4)
    axes.set_yticks(range(len(labels)), [plain(label) for label in reversed(labels)])
    axes.set_ylim(-0.7, len(labels) - 0.3)
    axes.xaxis.set_major_formatter(lambda value, _: compact(value) if value else "0")
    axes.set_xlim(left=0)
    axes.set_xlabel(words)
