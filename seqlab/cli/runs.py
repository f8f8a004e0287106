"""runs, runs show, runs diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seqlab.cli.app import app
from seqlab.cli.options import AsJson, Debug, KnownRun, RunsDir
from seqlab.errors import ConfigError

runs_app = typer.Typer(help="The runs that are there, best first by validation.")
app.add_typer(runs_app, name="runs")


@runs_app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    task: Annotated[str | None, typer.Option("--task", help="Of this task only.")] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="KEY", help="time, model, seconds, parameters, or a metric.")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """The runs that are there, best first by validation; a table for each data set and metric.

    Example: seqlab runs --task char_lm"""
    if context.invoked_subcommand is not None:
        return
    from seqlab.ranking import grouped, names_of, sort_runs
    from seqlab.runs import find_runs
    from seqlab.runs_display import show_runs

    everything, damaged = find_runs(runs_dir)
    tasks = sorted({run.task for run in everything})
    if task is not None and task not in tasks and everything:
        raise ConfigError(f"--task {task}: no run in {runs_dir} is on it", "", f"tasks: {', '.join(tasks)}")
    found = sort_runs([run for run in everything if task in (None, run.task)], sort)
    if as_json:
        groups = grouped(found)
        names = {run.folder: name for group, name in names_of(groups).items() for run in groups[group]}
        plain = [{**run.as_json(), "group": names[run.folder]} for run in found]
        typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))
    else:
        show_runs(found, runs_dir, Console(), sort)
    for what in damaged:
        typer.echo(f"left out: {what}", err=True)


@runs_app.command("show")
def runs_show(run: KnownRun, as_json: AsJson = False, debug: Debug = False) -> None:
    """One run: settings, figures, what it wrote."""
    from seqlab.runs import named_run, read_run_files
    from seqlab.runs_display import run_as_json, show_run

    found = read_run_files(named_run(run))
    if as_json:
        typer.echo(json.dumps(run_as_json(found), indent=2, ensure_ascii=False))
    else:
        show_run(found, Console())


@runs_app.command("diff")
def runs_diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A run's folder.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="Another's.", show_default=False)],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """What differs between two runs: settings and figures."""
    from seqlab.runs import differences, named_run, read_run_files
    from seqlab.runs_display import show_differences

    first, second = (read_run_files(named_run(name)) for name in (a, b))
    if as_json:
        splits = ("validation", "test")
        figures = differences(*({s: (run.result or {}).get(s, {}) for s in splits} for run in (first, second)))
        changed = {"config": differences(first.config, second.config), "figures": figures}
        typer.echo(json.dumps(changed, indent=2, ensure_ascii=False))
    else:
        show_differences(first, second, Console())
