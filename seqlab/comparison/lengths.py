"""The metrics of a comparison's models on sequences of other lengths than in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from seqlab.comparison.summary import Summary
from seqlab.core.files import number_or_nan
from seqlab.drawing.numbers import NOT_TRAINED, measured, number


def by_length(summary: Summary) -> dict[str, dict[int, float]]:
    """The primary metric on test at each length, by model: the mean over seeds, if all were evaluated there; nan if a
    value is not finite. Empty if no run was evaluated on other lengths."""
    found = {row.label: _means([_values(run.result, "values", summary) for run in row.runs]) for row in summary.rows}
    return found if any(found.values()) else {}


def chance_by_length(summary: Summary) -> dict[int, float]:
    """The chance level by length, as the runs stored it."""
    runs = [run for row in summary.rows for run in row.runs]
    return {length: value for run in runs for length, value in _values(run.result, "chance", summary).items()}


def _values(result: Mapping[str, Any], part: str, summary: Summary) -> dict[int, float]:
    name = summary.primary
    return {one["length"]: number_or_nan(one[part][name]) for one in result.get("lengths", ()) if name in one[part]}


def _means(by_seed: Sequence[Mapping[int, float]]) -> dict[int, float]:
    shared = sorted(set.intersection(*map(set, by_seed))) if by_seed else []
    return {length: fmean(values[length] for values in by_seed) for length in shared}


def length_cells(summary: Summary) -> tuple[list[str], list[list[str]], list[list[str]]]:
    """The same as a table: (headings, a row of cells for each model, one for chance if it is known)."""
    models, chance = by_length(summary), chance_by_length(summary)
    lengths = sorted({length for means in (*models.values(), chance) for length in means})

    def cells(label: str, values: Mapping[int, float]) -> list[str]:
        return [label, *(measured(values.get(length)) for length in lengths)]

    rows = [cells(label, means) for label, means in models.items()]
    return ["model", *(f"{length:,}" for length in lengths)], rows, [cells("chance", chance)] if chance else []


def about_lengths(rows: Sequence[Sequence[str]]) -> str:
    """What the table shows. rows: of the models, from length_cells."""
    unread = any(number(None) in cells for cells in rows)
    return "by length of sequence, means over seeds" + f"; {NOT_TRAINED}, or memory ran out" * unread
