"""The terminal output of `seqlab runs`, `runs show` and `runs diff`."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from seqlab.cli.display import Cell, fitted
from seqlab.drawing.numbers import clock, compact, number, sparkline
from seqlab.errors import CheckpointError, printable, printable_lines
from seqlab.runs.catalogue import RunFiles, differences
from seqlab.runs.environment import read_environment
from seqlab.runs.folder import read_metrics, read_overrides, read_sample
from seqlab.runs.ranking import group_names, group_of, grouped


def show_runs(runs: list[RunFiles], root: Path, console: Console, sort: str | None = None) -> None:
    """Print a table for each group of comparable runs, in the given order, with their validation metric: the test split
    is for final figures, not for choosing. `root`: the folder that was searched; `sort`: the key of the order."""
    if not runs:
        console.print(f"no runs in {root}; to make one: seqlab train model=lstm", highlight=False, markup=False)
    groups = grouped(runs)
    names = group_names(groups)
    tagged = any(run.labels.tags for run in runs)
    for index, (group, mine) in enumerate(groups.items()):
        first = next((run for run in mine if run.result), None)
        sorted_by_metric = first is not None and first.result is not None and sort in first.result["validation"]
        primary = str(sort if sorted_by_metric else first.primary if first else "")
        wide = console.width >= 110
        table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
        for heading in (
            _heading(mine, primary),
            "model",
            "seed",
            "train",
            *(("params", "steps", "tok/s") if wide else ()),
        ):
            table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
        for heading in ("run", *(["tags"] if tagged else [])):
            table.add_column(heading, no_wrap=True)
        for run in mine:
            result = run.result
            value = result["validation"].get(primary) if result else None
            more = (
                (compact(result["parameters"]), str(result["steps"]), compact(result["tokens_per_second"]))
                if result
                else ("", "", "")
            )
            table.add_row(
                Text(number(value), style="bold") if result else Text("no result", style="yellow"),
                run.model,
                str(run.config.get("seed", "")),
                clock(result["seconds"]) if result else "",
                *(more if wide else ()),
                Text(str(run.folder)),
                *([Text(_tags(run))] if tagged else []),
            )
        title = Text(("\n" if index else "") + names[group], style="bold")
        console.print(title.append(", validation" if first else "", style="not bold dim"), soft_wrap=True)
        _print_whole(table, console)


def _print_whole(table: Table, console: Console) -> None:
    """Print a table at its full width: a path must not be wrapped, so that it can be copied into other commands."""
    width = console.width
    console.width = max(width, console.measure(table, options=console.options.update(max_width=10_000)).maximum)
    console.print(table)
    console.width = width


def _heading(runs: list[RunFiles], primary: str) -> str:
    """The column heading: the primary metric's unit, or its name."""
    units = (run.result["metrics"][primary]["unit"] for run in runs if run.result and primary in run.result["metrics"])
    return next(units, "") or primary.replace("_", " ") or "validation"


def show_run(run: RunFiles, console: Console) -> None:
    """Print one run: its settings, machine, training, figures and samples."""
    console.print(Text(f"{run.model} on {run.task}, seed {run.config.get('seed')}", style="bold"))
    console.print(f"  {run.folder}", highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"  seqlab train {' '.join(read_overrides(run.folder))}", highlight=False, markup=False, soft_wrap=True
    )
    if run.labels.tags:
        console.print(Text(f"  tags: {_tags(run)}"), soft_wrap=True)
    if run.labels.note:
        console.print(Padding(Text(run.labels.shown_note), (0, 0, 0, 2)))
    facts = read_environment(run.folder)
    packages = facts.get("packages", {})
    machine = [f"torch {packages.get('torch')}", f"python {facts.get('python')}", facts.get("cpu"), facts.get("gpu")]
    console.print(f"  {', '.join(str(part) for part in machine if part)}", highlight=False, markup=False)
    if run.result is None:
        console.print(Text("  no result: the run was stopped, failed or is in progress; see train.log", style="yellow"))
        return
    result = run.result
    curve: list[float] = []
    with suppress(CheckpointError):  # a damaged log leaves the figures as they are
        curve = [value for value in read_metrics(run.folder).get(f"val/{run.primary}", []) if not math.isnan(value)]
    console.print(
        f"  {result['parameters']:,} parameters, {result['steps']} steps in {clock(result['seconds'])}, "
        f"{compact(result['tokens_per_second'])} tokens/s, best at step {result['best_step']}",
        highlight=False,
    )
    if curve:
        console.print(Text(f"  validation {run.primary}  {sparkline(curve, 40)}"))
    rows: list[list[Cell]] = []
    for name, value in result["test"].items():
        unit = result["metrics"][name]["unit"]
        rows.append([name, number(value), number(result["validation"].get(name)), unit])
    console.print(Padding(fitted(console.width - 2, ("metric", "test", "validation", ""), rows), (0, 0, 0, 2)))
    sample = read_sample(run.folder).strip()
    if sample:
        console.print(Padding(Text(printable_lines(sample[:600]), style="dim"), (1, 0, 0, 2)))


def run_line(run: RunFiles) -> str:
    """One line about a run: model, task, seed and its validation metric."""
    figure = "no result"
    if run.result is not None and run.primary is not None:
        unit = run.result["metrics"].get(run.primary, {}).get("unit", "")
        name = unit or run.primary.replace("_", " ")
        figure = f"{number(run.result['validation'].get(run.primary))} {name}"
    labels = f"; {_tags(run)}" if run.labels.tags else ""
    return printable(f"{run.model} on {run.task}, seed {run.config.get('seed')}: {figure}{labels}")


def run_as_json(run: RunFiles) -> dict[str, Any]:
    """The content of `runs show --json`."""
    return {
        **run.as_json(),
        "config": dict(run.config),
        "overrides": read_overrides(run.folder),
        "environment": read_environment(run.folder),
    }


def show_differences(a: RunFiles, b: RunFiles, console: Console) -> None:
    """Print the settings and figures of two runs that differ, side by side."""
    console.print(Text(f"A: {a.folder}\nB: {b.folder}"))
    found = differences(a.config, b.config)
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for heading in ("setting", "A", "B"):
        table.add_column(heading, overflow="fold")  # wrap long paths, so that both sides are visible
    for key, (left, right) in found.items():
        table.add_row(Text(key), Text(_plain(left)), Text(_plain(right)))
    console.print(table if found else "the settings are the same")
    if a.result is None or b.result is None:
        console.print(Text("no figures: " + ", ".join(str(r.folder) for r in (a, b) if r.result is None)))
        return
    figures: list[list[Cell]] = []
    for split in ("validation", "test"):
        reached = (a.result[split], b.result[split])
        for name in dict.fromkeys((*reached[0], *reached[1])):
            left, right = (values.get(name) for values in reached)
            gap = number(right - left) if left is not None and right is not None else ""
            figures.append([f"{split} {name}", number(left), number(right), gap])
    for name in ("parameters", "steps", "seconds", "tokens_per_second"):
        left, right = a.result[name], b.result[name]
        figures.append([name, compact(left), compact(right), compact(right - left)])
    console.print()
    console.print(fitted(console.width, ("figure", "A", "B", "B - A"), figures))
    if group_of(a) != group_of(b):
        console.print(Text("not comparable: the data, the splits or the metric differ", style="yellow"))
    elif a.task == b.task:
        console.print(Text("one run of each proves nothing: seqlab compare repeats them over seeds", style="dim"))


def _tags(run: RunFiles) -> str:
    return printable(", ".join(run.labels.tags))


def _plain(value: Any) -> str:
    return "–" if value is None else str(value)
