"""The table of a comparison by length of sequence: means over seeds of what the runs have."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.comparison.files import as_json
from seqlab.comparison.lengths import by_length, chance_by_length, length_cells
from seqlab.comparison.summary import Summary
from seqlab.training.lengths import AtLength
from tests.comparison.test_report import example_summary, published

PRIMARY = "bits_per_character"


def _with_lengths() -> Summary:
    """The first model reads every length, the second none that is longer than that of training, 50."""
    summary = example_summary()
    rows = []
    for place, row in enumerate(summary.rows):
        runs = []
        for run in row.runs:
            found = [
                AtLength(length, {PRIMARY: length / 100 + run.seed} if place == 0 or length <= 50 else {},
                         (0.0, 1.0), {PRIMARY: 1 / length}).as_json()
                for length in (25, 50, 1000)
            ]  # fmt: skip
            runs.append(replace(run, result={**run.result, "lengths": found}))
        rows.append(replace(row, runs=tuple(runs)))
    return replace(summary, rows=tuple(rows))


def test_means_are_over_seeds_and_a_length_that_is_not_evaluated_has_none(tmp_path: Path) -> None:
    summary = _with_lengths()
    first, second = (row.label for row in summary.rows)
    means, chance = by_length(summary), chance_by_length(summary)
    assert means[first] == pytest.approx({25: 1.25, 50: 1.5, 1000: 11.0})  # seeds 0, 1, 2
    assert means[second] == pytest.approx({25: 1.25, 50: 1.5})
    assert chance == {25: 0.04, 50: 0.02, 1000: 0.001}
    headings, models, below = length_cells(summary)
    assert headings == ["model", "25", "50", "1,000"]
    assert models == [[first, "1.2500", "1.5000", "11.00"], [second, "1.2500", "1.5000", "–"]]
    assert below == [["chance", "0.0400", "0.0200", "0.0010"]]
    assert as_json(summary)["lengths"] == {"models": means, "chance": chance}
    page, terminal, _ = published(summary, tmp_path, 120)
    for text in (page, terminal):
        assert "by length of sequence" in text
        assert "1,000" in text
        assert "could not have been trained" in " ".join(text.split())


def test_a_dash_is_explained_where_there_is_one(tmp_path: Path) -> None:
    summary = _with_lengths()
    first, _ = summary.rows
    for text in published(replace(summary, rows=(first,)), tmp_path, 120)[:2]:
        assert "by length of sequence" in text
        assert "could not have been trained" not in " ".join(text.split())


def test_a_figure_that_is_not_finite_is_not_called_unread(tmp_path: Path) -> None:
    summary = _with_lengths()
    first, second = (row.label for row in summary.rows)
    row, *others = summary.rows
    run, *seeds = row.runs
    lengths = [
        {**one, "values": {PRIMARY: None}} if one["length"] == 1000 else one  # as result.json stores nan and inf
        for one in run.result["lengths"]
    ]
    run = replace(run, result={**run.result, "lengths": lengths})
    summary = replace(summary, rows=(replace(row, runs=(run, *seeds)), *others))
    _, models, _ = length_cells(summary)
    assert models == [[first, "1.2500", "1.5000", "not finite"], [second, "1.2500", "1.5000", "–"]]
    plain = json.loads(json.dumps(as_json(summary), allow_nan=False))["lengths"]["models"]
    assert plain == {first: {"25": 1.25, "50": 1.5, "1000": None}, second: {"25": 1.25, "50": 1.5}}
    for text in published(summary, tmp_path, 120)[:2]:
        assert "not finite" in text


def test_a_comparison_without_other_lengths_has_no_such_table(tmp_path: Path) -> None:
    summary = example_summary()
    assert by_length(summary) == {}
    page, terminal, _ = published(summary, tmp_path, 120)
    for text in (page, terminal):
        assert "by length of sequence" not in text
