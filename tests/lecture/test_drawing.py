"""Pictures of a figure: what is drawn, and as what."""

import math

import numpy as np
import pytest

from seqlab.lecture.drawing import draw_figure

_OVER_LENGTH = {"lstm, 64": {0: 9.0, 1: 11.0}, "lstm, 1024": {0: 4.0, 1: 6.0}, "gru, 64": {0: 8.0}, "gru, 1024": {}}


def test_figures_are_lines_over_the_number_in_their_labels() -> None:
    picture = draw_figure("tokens_per_second", _OVER_LENGTH)
    (axes,) = picture.figure().axes
    lstm = next(line for line in axes.lines if line.get_label() == "lstm")
    assert np.asarray(lstm.get_xdata()).tolist() == [64, 1024]
    assert np.asarray(lstm.get_ydata()).tolist() == [10, 5]  # means over seeds
    assert axes.get_ylim()[0] == 0
    assert axes.get_legend_handles_labels()[1] == ["lstm", "gru"]


@pytest.mark.parametrize("labels", [("lstm", "gru"), ("lstm, 64", "gru"), ("lstm, 64", "gru, 64")])
def test_others_have_a_row_each_in_the_order_of_the_command(labels: tuple[str, str]) -> None:
    values = {labels[0]: {0: 2.0, 1: 4.0}, labels[1]: {0: 1.0, 1: math.inf}}
    (axes,) = draw_figure("gradient:state.lag_under_1_percent", values).figure().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(reversed(labels))
    diamonds = [float(np.asarray(line.get_xdata())[0]) for line in axes.lines if line.get_marker() == "D"]
    assert diamonds == [3, 1]  # what is not finite is left out


def test_a_model_without_a_figure_has_an_empty_row() -> None:
    picture = draw_figure("diverged", {"a": {}, "b": {}})
    assert picture.svg.startswith("<svg")
