"""The commands runs, runs show, runs diff, runs tag, runs note and runs rm."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from seqlab.cli.app import app, terminal
from seqlab.cli.completion import complete_name
from seqlab.cli.options import AsJson, Debug, KnownRun, RunsDir
from seqlab.errors import ConfigError, printable

runs_app = typer.Typer(help="List, show, compare, tag and remove runs.")
app.add_typer(runs_app, name="runs")


@runs_app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    task: Annotated[str | None, typer.Option("--task", help="Only runs of this task.")] = None,
    tag: Annotated[
        str | None,
        typer.Option("--tag", metavar="TAG", help="Only runs with this tag (see runs tag).", show_default=False),
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="KEY", help="Sort by time, model, seconds, parameters or a metric.")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List runs, best first by validation; one table for each data set and metric.

    Example: seqlab runs --task char_lm"""
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    from seqlab.cli.runs_display import show_runs
    from seqlab.config.suggest import did_you_mean
    from seqlab.runs.catalogue import find_runs
    from seqlab.runs.ranking import group_names, grouped, sort_runs

    everything, damaged = find_runs(runs_dir)
    tasks = sorted({run.task for run in everything})
    if task is not None and task not in tasks and everything:
        hint = did_you_mean(task, tasks, "--task ")
        raise ConfigError(f"--task {task}: {runs_dir} has no run of this task", hint, f"tasks: {', '.join(tasks)}")
    chosen = [run for run in everything if task in (None, run.task)]
    if tag is not None and chosen:
        tags = sorted({tag for run in chosen for tag in run.labels.tags})
        chosen = [run for run in chosen if tag in run.labels.tags]
        if not chosen:
            hint = did_you_mean(tag, tags) or "to tag a run: seqlab runs tag RUN " + shlex.quote(tag)
            raise ConfigError(f"--tag {tag}: no run has this tag", hint, f"tags: {', '.join(tags) or 'none'}")
    found = sort_runs(chosen, sort)
    if as_json:
        groups = grouped(found)
        names = {run.folder: name for group, name in group_names(groups).items() for run in groups[group]}
        plain = [{**run.as_json(), "group": names[run.folder]} for run in found]
        typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))
    else:
        show_runs(found, runs_dir, terminal(), sort)
    for what in damaged:
        typer.echo(f"left out: {what}", err=True)


def _refuse_options(context: typer.Context) -> None:
    """Raise ConfigError for options before the subcommand: they belong to the list, and the subcommand ignores them."""
    for parameter in context.command.params:
        if parameter.name == "debug":
            continue
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            command = f"{context.command_path} {context.invoked_subcommand}"
            raise ConfigError(f"{parameter.opts[0]} before {context.invoked_subcommand} has no effect",
                              f"put it at the end, if {command} --help lists it")  # fmt: skip


@runs_app.command("show")
def runs_show(run: KnownRun, runs_dir: RunsDir = Path("runs"), as_json: AsJson = False, debug: Debug = False) -> None:
    """Show one run: settings, figures and samples.

    Example: seqlab runs show last"""
    from seqlab.cli.runs_display import run_as_json, show_run
    from seqlab.runs.catalogue import named_run, read_run_files

    found = read_run_files(named_run(run, runs_dir))
    if as_json:
        typer.echo(json.dumps(run_as_json(found), indent=2, ensure_ascii=False))
    else:
        show_run(found, terminal())


@runs_app.command("diff")
def runs_diff(
    a: Annotated[
        str,
        typer.Argument(metavar="A", help="A run's folder or name.", autocompletion=complete_name, show_default=False),
    ],
    b: Annotated[
        str, typer.Argument(metavar="B", help="Another run.", autocompletion=complete_name, show_default=False)
    ],
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show the settings and figures in which two runs differ.

    Example: seqlab runs diff last deep"""
    from seqlab.cli.runs_display import show_differences
    from seqlab.runs.catalogue import differences, named_run, read_run_files

    first, second = (read_run_files(named_run(name, runs_dir)) for name in (a, b))
    if as_json:
        splits = ("validation", "test")
        figures = differences(*({s: (run.result or {}).get(s, {}) for s in splits} for run in (first, second)))
        changed = {"config": differences(first.config, second.config), "figures": figures}
        typer.echo(json.dumps(changed, indent=2, ensure_ascii=False))
    else:
        show_differences(first, second, terminal())


@runs_app.command("tag")
def runs_tag(
    run: KnownRun,
    tags: Annotated[
        list[str] | None,
        typer.Argument(metavar="TAG", help="Tags to add. Without any, the run's tags are shown.", show_default=False),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="TAG", help="Remove this tag.", show_default=False)
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Tag a run; `seqlab runs --tag TAG` finds it again.

    Example: seqlab runs tag last paper baseline"""
    from seqlab.runs.catalogue import named_run
    from seqlab.runs.labels import read_labels, with_tags, write_labels

    folder = named_run(run, runs_dir)
    labels = read_labels(folder)
    if tags or remove:
        labels = with_tags(labels, tags or [], remove or [])
        write_labels(folder, labels)
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), **asdict(labels)}, indent=2, ensure_ascii=False))
    else:
        typer.echo(printable(f"{folder}: {', '.join(labels.tags) or 'no tags'}"))


@runs_app.command("note")
def runs_note(
    run: KnownRun,
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="The new note. Without a text, the note is shown.", show_default=False),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Delete the note.")] = False,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show or write a run's note.

    Example: seqlab runs note last "clipping off: diverges at step 40" """
    from seqlab.runs.catalogue import named_run
    from seqlab.runs.labels import read_labels, with_note, write_labels

    if remove and text:
        raise ConfigError("--remove deletes the note, but a new text is given too", "drop one of them")
    folder = named_run(run, runs_dir)
    labels = read_labels(folder)
    if text or remove:
        labels = replace(labels, note="") if remove else with_note(labels, " ".join(text or []))
        write_labels(folder, labels)
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), **asdict(labels)}, indent=2, ensure_ascii=False))
    elif text or remove:
        typer.echo(printable(f"{folder}: {'note saved' if text else 'note deleted'}"))
    elif labels.note:
        typer.echo(labels.shown_note)
    else:
        typer.echo(printable(f"{folder} has no note"), err=True)


@runs_app.command("rm")
def runs_rm(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Runs, by folder or name (or last, or best:TASK, which --yes does not allow).",
            autocompletion=complete_name,
            show_default=False,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Delete the folders of runs. Shows what would be deleted, and asks first.

    Example: seqlab runs rm v_rnn"""
    from seqlab.cli.runs_display import run_line
    from seqlab.drawing.numbers import compact
    from seqlab.runs.catalogue import is_alias, named_run
    from seqlab.runs.removal import plan_removal, remove

    if yes and (name := next(filter(is_alias, names), None)):
        folder = shlex.quote(str(named_run(name, runs_dir)))
        raise ConfigError(f"{name} with --yes could delete the wrong run unseen", f"name the run: {folder}")
    removals = plan_removal(names, runs_dir)
    for one in removals:
        typer.echo(printable(f"{one.run.folder}  {compact(one.bytes)}B  {run_line(one.run)}"), err=True)
        for reference in one.references:
            typer.echo(printable(f"  {reference}"), err=True)
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError(
                "nothing is removed: there is no terminal to ask on", "to remove without asking, add --yes"
            )
        these = "this run" if len(removals) == 1 else f"these {len(removals)} runs"
        # typer's own prompt would write a blank to stdout
        typer.echo(f"remove {these}, {compact(sum(one.bytes for one in removals))}B? [y/N] ", nl=False, err=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            removals = []
    remove(removals)
    if as_json:
        typer.echo(json.dumps({"removed": [one.as_json() for one in removals]}, indent=2, ensure_ascii=False))
    else:
        for line in [f"removed {one.run.folder}" for one in removals] or ["nothing was removed"]:
            typer.echo(printable(line))
