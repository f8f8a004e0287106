"""runs, and what is done with single ones: show, diff, tag, note, rm."""

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

runs_app = typer.Typer(help="The runs that are there, best first by validation.")
app.add_typer(runs_app, name="runs")


@runs_app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    task: Annotated[str | None, typer.Option("--task", help="Of this task only.")] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="TAG", help="With this tag only: see runs tag.", show_default=False)
    ] = None,
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
        raise ConfigError(f"--task {task}: no run in {runs_dir} is on it", hint, f"tasks: {', '.join(tasks)}")
    chosen = [run for run in everything if task in (None, run.task)]
    if tag is not None and chosen:
        tags = sorted({tag for run in chosen for tag in run.labels.tags})
        chosen = [run for run in chosen if tag in run.labels.tags]
        if not chosen:
            hint = did_you_mean(tag, tags) or "give one: seqlab runs tag RUN " + shlex.quote(tag)
            raise ConfigError(f"--tag {tag}: no run has it", hint, f"tags: {', '.join(tags) or 'none'}")
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
    """What stands before the subcommand is of the list: the subcommand would not hear of it."""
    for parameter in context.command.params:
        if parameter.name == "debug":
            continue
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            command = f"{context.command_path} {context.invoked_subcommand}"
            raise ConfigError(f"{parameter.opts[0]} before {context.invoked_subcommand} has no effect",
                              f"put it at the end, if it is one of {command} --help")  # fmt: skip


@runs_app.command("show")
def runs_show(run: KnownRun, runs_dir: RunsDir = Path("runs"), as_json: AsJson = False, debug: Debug = False) -> None:
    """One run: settings, figures, what it wrote.

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
    b: Annotated[str, typer.Argument(metavar="B", help="Another's.", autocompletion=complete_name, show_default=False)],
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """What differs between two runs: settings and figures.

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
        typer.Argument(metavar="TAG", help="Words to add. Without any, its tags are shown.", show_default=False),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="TAG", help="Take this one away.", show_default=False)
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Tag a run, to find it again: seqlab runs --tag TAG.

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
        typer.Argument(metavar="TEXT", help="Replaces its note. Without any, it is shown.", show_default=False),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the note away.")] = False,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write down what a run was for.

    Example: seqlab runs note last "clipping off: diverges at step 40" """
    from seqlab.runs.catalogue import named_run
    from seqlab.runs.labels import read_labels, with_note, write_labels

    if remove and text:
        raise ConfigError("--remove takes the note away, and there is a text for another", "leave one of them out")
    folder = named_run(run, runs_dir)
    labels = read_labels(folder)
    if text or remove:
        labels = replace(labels, note="") if remove else with_note(labels, " ".join(text or []))
        write_labels(folder, labels)
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), **asdict(labels)}, indent=2, ensure_ascii=False))
    elif text or remove:
        typer.echo(printable(f"{folder}: {'noted' if text else 'no note'}"))
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
            help="Runs, by folder or name; `last` and best:TASK are asked about.",
            autocompletion=complete_name,
            show_default=False,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    runs_dir: RunsDir = Path("runs"),
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Remove runs: their folders with all that is in them. Shows what would go, and asks.

    Example: seqlab runs rm v_rnn"""
    from seqlab.cli.runs_display import run_line
    from seqlab.drawing.numbers import compact
    from seqlab.runs.catalogue import is_alias, named_run
    from seqlab.runs.removal import plan_removal, remove

    if yes and (name := next(filter(is_alias, names), None)):
        folder = shlex.quote(str(named_run(name, runs_dir)))
        raise ConfigError(f"{name} with --yes: nobody would see which run that is", f"name it: {folder}")
    removals = plan_removal(names, runs_dir)
    for one in removals:
        typer.echo(printable(f"{one.run.folder}  {compact(one.bytes)}B  {run_line(one.run)}"), err=True)
        for reference in one.references:
            typer.echo(printable(f"  {reference}"), err=True)
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("nothing is removed: there is no terminal to ask at", "if you mean it, add --yes")
        these = "this run" if len(removals) == 1 else f"these {len(removals)} runs"
        # typer's own question would put a blank on stdout
        typer.echo(f"remove {these}, {compact(sum(one.bytes for one in removals))}B? [y/N] ", nl=False, err=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            removals = []
    remove(removals)
    if as_json:
        typer.echo(json.dumps({"removed": [one.as_json() for one in removals]}, indent=2, ensure_ascii=False))
    else:
        for line in [f"removed {one.run.folder}" for one in removals] or ["nothing is removed"]:
            typer.echo(printable(line))
