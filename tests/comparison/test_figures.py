"""The pictures of a comparison, as matplotlib draws them."""

from __future__ import annotations

from matplotlib.figure import Figure

from seqlab.comparison.figures import figures
from tests.comparison.test_report import example_summary


def test_models_have_their_place_in_the_command_in_every_picture() -> None:
    """Whatever their rank, and whatever their names: `bptt 7` before `bptt 14`."""
    summary = example_summary()
    labels = [variant.label for variant in summary.plan.variants]
    assert labels != sorted(labels)
    assert labels != [row.label for row in summary.rows]
    pictures = figures(summary)
    curves, results = Figure(), Figure()
    pictures["curves-by-step"].draw(curves)
    pictures["results"].draw(results)
    lines = curves.axes[0].get_lines()[: len(labels)]
    assert [str(line.get_label()).replace("\\", "") for line in lines] == labels
    diamonds = [line for line in results.axes[0].get_lines() if line.get_marker() == "D"]
    by_label = dict(zip(reversed([row.label for row in summary.rows]), diamonds, strict=True))
    assert [by_label[label].get_color() for label in labels] == [line.get_color() for line in lines]
