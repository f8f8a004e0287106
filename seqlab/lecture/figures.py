"""The figure that a claim is decided by, of each run of a model: a metric, a cost, or a number that a view draws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqlab.comparison.compare import Comparison
from seqlab.comparison.summary import Row, Summary
from seqlab.config.suggest import did_you_mean
from seqlab.core.files import read_json, write_json
from seqlab.errors import ConfigError, NumericError
from seqlab.insight.views import VIEWS
from seqlab.runs.run import open_run

DIVERGED = "diverged"
_OF_RUN = ("seconds", "tokens_per_second", "peak_memory_bytes")
_OF_MODEL = ("state_bytes", "parameters", "generated_per_second", "step_seconds", "flops_per_token")
_CACHE = "figures.json"  # in the folder of a run


def costs() -> tuple[str, ...]:
    """The figures that every comparison has, beside the metrics of its task."""
    return (*_OF_RUN, *_OF_MODEL, DIVERGED)


def is_figure(name: str) -> bool:
    """Whether a name is that of a cost or of a number in a view: what every task's runs have."""
    return name in costs() or ":" in name


def exact(figure: str) -> bool:
    """Whether a figure is counted, so that one run tells it."""
    return figure in ("state_bytes", "parameters", "flops_per_token")


def values_of(figure: str, label: str, done: Comparison, config_dir: Path | None) -> Mapping[int, float]:
    """The figure by seed. Seeds whose run failed are left out, except for `diverged`. Raises ConfigError for a figure
    that the runs do not have, NumericError if none of them has a finite one."""
    if done.summary is None:
        if figure != DIVERGED:
            raise NumericError(f"{label}: every run failed", "see why in the comparison's report")
        return {seed: 1.0 for (failed, seed) in done.failed if failed == label}
    row = next(row for row in done.summary.rows if row.label == label)
    found = _values(figure, row, done.summary, config_dir)
    finite = {seed: value for seed, value in found.items() if not math.isnan(value)}
    if not finite:
        raise NumericError(f"{label}: no run has a finite {figure}", "see why in the comparison's report")
    return finite


def _values(figure: str, row: Row, summary: Summary, config_dir: Path | None) -> Mapping[int, float]:
    if figure == DIVERGED:
        return {**{run.seed: 0.0 for run in row.runs}, **dict.fromkeys(row.failed, 1.0)}
    if figure in _OF_RUN:
        return {run.seed: float(run.result[figure]) for run in row.runs}
    if figure in _OF_MODEL:
        return dict.fromkeys((run.seed for run in row.runs), _of_model(figure, row))
    view, _, key = figure.partition(":")
    if key and view in VIEWS:
        return {run.seed: _of_view(view, key, Path(run.folder), config_dir) for run in row.runs}
    if not all(figure in run.result["test"] for run in row.runs):
        known = [*(row.runs[0].result["test"] if row.runs else ()), *costs(), *(f"{view}:KEY" for view in VIEWS)]
        raise ConfigError(
            f"figure={figure}: the runs of task={summary.plan.task} have none", did_you_mean(figure, known), str(known)
        )
    return {run.seed: math.nan if (v := run.result["test"][figure]) is None else float(v) for run in row.runs}


def _of_model(figure: str, row: Row) -> float:
    if figure == "parameters":
        return math.nan if row.variant.sizes is None else float(row.variant.sizes.params)
    value = None if row.variant.probe is None else getattr(row.variant.probe, figure)
    return math.nan if value is None else float(value)


def _of_view(view: str, key: str, folder: Path, config_dir: Path | None) -> float:
    """A number among those that a view draws of one run, kept beside the run once it is known."""
    name, kept = f"{view}:{key}", folder / _CACHE
    known: dict[str, Any] = read_json(kept) if kept.is_file() else {}
    if name not in known:
        (picture, *_) = open_run(folder, config_dir).inspect(view)
        known[name] = _number(picture.data, key, view)
        write_json(kept, known)
    value = known[name]
    return math.inf if value is None else float(value)


def _number(data: Mapping[str, Any], key: str, view: str) -> float | None:
    """KEY.KEY.0 in a view's data, of its only run if it has a list of runs. None: a lag that the view did not reach."""
    runs = data.get("runs")
    found: Any = runs[0] if isinstance(runs, list) and len(runs) == 1 else data
    for part in key.split("."):
        if isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, Mapping) and part in found:
            found = found[part]
        else:
            there = ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found).__name__
            raise ConfigError(f"figure={view}:{key}: the view has no '{part}' there", f"there is: {there}")
    if found is not None and not isinstance(found, int | float):
        raise ConfigError(f"figure={view}:{key} is no number, but {type(found).__name__}", "name one of its parts")
    return None if found is None else float(found)


def folders_of(done: Comparison, labels: tuple[str, ...]) -> dict[str, Path]:
    """The first run of each model by its label, in the order of the command; of one whose runs all failed the first
    that began."""
    if done.summary is None:
        return {}
    wanted = labels or tuple(variant.label for variant in done.summary.plan.variants)
    rows = {row.label: row for row in done.summary.rows}
    found = {label: _first(rows[label], done.folder) for label in wanted}
    return {label: folder for label, folder in found.items() if folder is not None}


def _first(row: Row, comparison: Path) -> Path | None:
    if row.runs:
        return Path(row.runs[0].folder)
    began = (row.variant.run_folder(comparison, seed) for seed in sorted(row.failed))
    return next((folder for folder in began if (folder / "checkpoints").is_dir()), None)
