"""report.html: one file that holds everything and needs no network, in light and dark, printable."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.comparison.conditions import (
    MISSING,
    about_curves,
    cautions,
    condition,
    differing_cells,
    joined,
    no_better,
)
from seqlab.comparison.figures import AXES
from seqlab.comparison.lengths import about_lengths, length_cells
from seqlab.comparison.plan import OTHER_ORDER, Plan, Variant
from seqlab.comparison.summary import Summary
from seqlab.comparison.verdict import correction_text
from seqlab.comparison.wording import (
    cost_table,
    direction,
    interval_text,
    target_text,
    tuned_line,
)
from seqlab.drawing.numbers import described, number
from seqlab.drawing.page import render
from seqlab.drawing.picture import Picture
from seqlab.runs.environment import read_environment


@dataclass(frozen=True)
class Above:
    """What stands above a comparison on its page, where it serves something else. title: of the page. about: below
    it. facts: by name. findings: (kind, tag, sentence), as those of the comparison. headings, rows: of a table, with
    `caption`."""

    title: str
    about: str
    facts: Mapping[str, str]
    findings: Sequence[tuple[str, str, str]]
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_page(summary: Summary, pictures: dict[str, Picture], folder: Path, above: Above | None = None) -> Path:
    """Write report.html from a summary and its pictures by name; returns its path."""
    from markupsafe import Markup

    # safe as markup: matplotlib has escaped whatever text of a user stands in it
    drawn = {name: {"svg": Markup(picture.svg), "about": picture.about} for name, picture in pictures.items()}
    labels = [row.label for row in summary.rows]
    text = render(
        "report.html.j2",
        title=f"{joined(labels)} on {summary.plan.task}" if above is None else above.title,
        about=_about(summary) if above is None else above.about,
        above=above,
        compared=_about(summary),
        data=described(summary.plan.data),
        times="" if summary.times is None else summary.times.text(),
        verdicts=_verdicts(summary),
        method=_method(summary),
        results=drawn["results"],
        curves=[drawn[f"curves-by-{axis}"] for axis in AXES if f"curves-by-{axis}" in drawn],
        about_curves=about_curves(summary),
        tables=[_quality(summary), *_lengths(summary), *_differing(summary), _sizes(summary), _costs(summary)],
        samples=[
            {"label": f"{row.label}, seed {row.runs[0].seed}", "text": row.runs[0].sample.strip() or "(nothing)"}
            for row in summary.rows
            if row.runs
        ],
        command=summary.command,
        commands=[
            train_command(summary.plan, row.variant, run.seed)
            for row in summary.rows
            for run in row.runs
            if not row.variant.existing
        ],
        environment=environment(summary),
    )
    path = folder / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


def train_command(plan: Plan, variant: Variant, seed: int) -> str:
    """The command that makes one of the runs by itself."""
    where = [] if plan.config_dir is None else ["--config-dir", plan.config_dir]
    return shlex.join(["seqlab", "train", *variant.command(seed), *where])


def _about(summary: Summary) -> str:
    plan = summary.plan
    seeds = _range([len(row.test) for row in summary.rows])
    parts = [f"{seeds} seed{'' if seeds == '1' else 's'} a model"]
    parts.append(f"sizes matched: {plan.match}" if plan.match else "sizes as configured")
    steps = _range([run.result["steps"] for row in summary.rows for run in row.runs])
    parts.append(f"{steps} steps each" if plan.budget is None else f"budget {plan.budget} each")
    if plan.tune is not None:
        parts.append(f"{plan.tune.key} searched for each")
    return ", ".join(parts) + f". Compared by test {summary.primary} ({direction(summary.metric)})."


def _range(counts: list[int]) -> str:
    """One number, or from the least to the most."""
    low, high = min(counts, default=0), max(counts, default=0)
    return f"{low}" if low == high else f"{low} to {high}"


def _verdicts(summary: Summary) -> list[dict[str, str]]:
    found = [
        {
            "kind": "shown" if pair.significant else "open",
            "tag": "significant" if pair.significant else "not significant",
            "text": f"{text}; {condition(summary)}",
        }
        for pair, text in zip(summary.pairs, summary.verdicts, strict=True)
    ]
    if not found:
        found.append({"kind": "open", "tag": "one model", "text": "There is nothing to compare it with."})
    if summary.against_baseline:
        found.append({"kind": "open", "tag": "best baseline", "text": summary.against_baseline})
    found += [{"kind": "note", "tag": tag, "text": text} for tag, text in cautions(summary)]
    for row in summary.rows:
        for seed, why in row.failed.items():
            found.append({"kind": "failed", "tag": "failed", "text": f"{row.label}, seed {seed}: {why}"})
    found += [{"kind": "note", "tag": "baseline", "text": text} for text in no_better(summary)]
    found += [{"kind": "note", "tag": "note", "text": note} for note in summary.plan.notes]
    for label in summary.plan.tuned:
        text = tuned_line(summary.plan, label)
        found.append({"kind": "open", "tag": "search", "text": text})
    return found


def _method(summary: Summary) -> str:
    same_order = not any(OTHER_ORDER in note for note in summary.plan.notes)
    order = "the same split and the same order of data" if same_order else "the same split"
    correction = f", {text}," if (text := correction_text(summary.pairs)) else ""
    return (
        f"With seed i every model has {order}; initialisation has a random stream of its own. Intervals "
        f"(95 %) and verdicts generalise over {_over(summary)}; the models' variances over seeds are shrunk towards "
        "their mean (a moderated t, Smyth 2004). A difference is called significant when its p"
        f"{correction} is below 0.05. Test figures are those of the weights that validated best."
    )


def _over(summary: Summary) -> str:
    if summary.items is not None:
        return f"training seeds and the {summary.items:,} test items together"
    return "training seeds alone, not over test items: not every run knows its items"


def _quality(summary: Summary) -> dict[str, Any]:
    names = list(summary.rows[0].figures) if summary.rows else []
    rows = []
    for row in summary.rows:
        seeds = f"{len(row.test)}" + (f", {len(row.failed)} failed" if row.failed else "")
        figures = [number(row.figures.get(name)) for name in names if name != summary.primary]
        rows.append({"cells": [row.label, number(row.mean), interval_text(row), seeds, *figures], "naive": False})
    for base in summary.baselines:
        values = {name: metric.value for name, metric in base.metrics.items()}
        figures = [number(values.get(name)) for name in names if name != summary.primary]
        rows.append({"cells": [base.name, number(values.get(summary.primary)), "", "", *figures], "naive": True})
    headings = ["model", summary.primary, f"95 % {summary.over}", "seeds", *(n for n in names if n != summary.primary)]
    naive = "".join(f" {base.name}: {base.about}." for base in summary.baselines)
    return {"about": f"On the test split, means over seeds.{naive}", "headings": headings, "rows": rows}


def _lengths(summary: Summary) -> list[dict[str, Any]]:
    """Empty if no run was evaluated on sequences of other lengths."""
    headings, models, chance = length_cells(summary)
    if not models:
        return []
    rows = [{"cells": cells, "naive": cells in chance} for cells in (*models, *chance)]
    return [{"about": f"Test {summary.primary} {about_lengths(models)}.", "headings": headings, "rows": rows}]


def _differing(summary: Summary) -> list[dict[str, Any]]:
    """Nothing where all settings are the same."""
    headings, cells = differing_cells(summary)
    if not cells:
        return []
    about = f"Settings that differ between these models; {MISSING}: it has no such setting."
    return [{"about": about, "headings": headings, "rows": [{"cells": row, "naive": False} for row in cells]}]


def _sizes(summary: Summary) -> dict[str, Any]:
    rows = []
    for row in summary.rows:
        sizes = row.variant.sizes
        counts = [f"{n:,}" for n in (sizes.embedding, sizes.body, sizes.head, sizes.params)] if sizes else ["–"] * 4
        rows.append({"cells": [row.label, *counts, _range([run.result["steps"] for run in row.runs])], "naive": False})
    return {
        "about": "Parameters by part; the body is what stands between embedding and head.",
        "headings": ["model", "embedding", "body", "head", "all", "steps"],
        "rows": rows,
    }


def _costs(summary: Summary) -> dict[str, Any]:
    headings, costs, legend = cost_table(summary.rows)
    rows = []
    for row, cells in zip(summary.rows, costs, strict=True):
        mark = " *" if row.pareto_optimal and len(summary.rows) > 1 else ""
        rows.append({"cells": [row.label + mark, *cells], "naive": False})
    target = "" if summary.target is None else f" {target_text(summary).capitalize()}."
    return {
        "about": f"Costs, means over seeds. * no other model is better and quicker to train. {legend}{target}",
        "headings": ["model", *headings],
        "rows": rows,
    }


def environment(summary: Summary) -> list[tuple[str, str]]:
    """That of the runs of a comparison."""
    return environment_of(Path(run.folder) for row in summary.rows for run in row.runs)


def environment_of(runs: Iterable[Path]) -> list[tuple[str, str]]:
    """From the runs' own environment.json; what differs between runs is listed with all its values."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        facts = read_environment(run)
        packages = facts.get("packages", {})
        shown = {
            **{name: packages.get(name) for name in ("seqlab", "torch", "numpy")},
            **{
                key: facts.get(key)
                for key in ("git_commit", "python", "platform", "cpu", "cpu_count", "threads", "gpu")
            },
            "device": facts.get("chosen", {}).get("device"),
            "precision": facts.get("chosen", {}).get("precision"),
            "sha256 of the data": facts.get("data_sha256"),
        }
        for key, value in shown.items():
            if value is not None:
                found.setdefault(key, {})[str(value)] = None
    return [(key, " | ".join(values)) for key, values in found.items()]
