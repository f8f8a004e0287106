"""report.html of a sweep: one file that holds everything and needs no network, in light and dark, printable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seqlab.comparison.page import environment_of, train_command
from seqlab.comparison.wording import direction
from seqlab.drawing.numbers import clock, compact, described, number
from seqlab.drawing.page import render
from seqlab.drawing.picture import Picture
from seqlab.sweeps.plan import run_folder, trial_overrides
from seqlab.sweeps.summary import Summary
from seqlab.sweeps.trial import Trial
from seqlab.sweeps.wording import counts_text, edges, outcome_text, plan_text, settings_of, test_text


def write_page(summary: Summary, pictures: Sequence[Picture], folder: Path) -> None:
    """Write report.html from a summary and its pictures."""
    from markupsafe import Markup

    plan, axes = summary.plan, summary.request.axes.values()
    made = [trial for trial in summary.trials if trial.run == trial.number and trial.outcome != "impossible"]
    keys = [axis.key for axis in axes]
    text = render(
        "sweep.html.j2",
        title=f"{', '.join(keys)} on {plan.models.task}",
        about=f"{plan_text(plan, summary.request)}. Chosen by validation {summary.primary} "
        f"({direction(summary.metric)}).",
        data={**described(plan.models.data), **{axis.key: str(axis) for axis in axes}},
        findings=_findings(summary),
        best=summary.best_command,
        # safe as markup: matplotlib has escaped whatever text of a user stands in it
        pictures=[{"svg": Markup(picture.svg), "about": picture.about} for picture in pictures],
        caption=f"Validation {summary.primary} with the best weights of each trial, the best first; italics: not "
        "complete, the last one.",
        headings=["trial", f"validation {summary.metric.unit}".rstrip(), "outcome", *keys, "params", "training"],
        rows=[{"complete": trial.outcome == "complete", "cells": _cells(trial)} for trial in summary.trials],
        command=summary.command,
        commands=[_command(summary, trial) for trial in made],
        environment=environment_of(run_folder(folder, trial.run) for trial in made),
    )
    (folder / "report.html").write_text(text, encoding="utf-8")


def _findings(summary: Summary) -> list[tuple[str, str, str]]:
    """(kind, tag, sentence) of each."""
    best, unit = summary.best, summary.metric.unit or summary.primary
    return [
        ("shown", "best", f"trial {best.number}, {' '.join(best.overrides)}: validation {number(best.value)} {unit}"),
        ("note", "test", test_text(summary)),
        ("open", "trials", counts_text(summary)),
        *(("note", "edge", edge) for edge in edges(summary)),
        *(("failed", "failed", f"trial {place}: {why}") for place, why in summary.failed.items()),
        *(("note", "note", note) for note in summary.plan.models.notes),
    ]


def _cells(trial: Trial) -> list[str]:
    params = "" if trial.parameters is None else compact(trial.parameters)
    seconds = "" if trial.seconds is None else clock(trial.seconds)
    return [str(trial.number), number(trial.last), outcome_text(trial), *settings_of(trial), params, seconds]


def _command(summary: Summary, trial: Trial) -> str:
    """What makes the run by itself, on the device of the sweep."""
    plan = summary.plan
    variant = plan.variant(summary.request.label(trial.overrides))
    words = trial_overrides(plan, summary.request, trial.overrides)
    return train_command(plan.models, replace(variant, overrides=words), plan.seed)
