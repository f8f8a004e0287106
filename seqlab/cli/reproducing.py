"""reproduce."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from seqlab.cli.app import app, terminal
from seqlab.cli.completion import complete_reproduction
from seqlab.cli.options import AsJson, Background, ConfigDir, Debug, Executor, Jobs, Quiet, Submit, home
from seqlab.errors import ConfigError


@app.command()
def reproduce(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME|KEY=VALUE...",
            help="Reproductions by name, and overrides for all of them.",
            autocompletion=complete_reproduction,
            show_default=False,
        ),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List the reproductions: published figures, time, needs.")
    ] = False,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="Runs of each model.", show_default="as the reproduction says")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", callback=home, help="The folder of reproductions.", show_default="runs/reproduce"
        ),
    ] = None,
    config_dir: ConfigDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan: runs, sizes, time.")] = False,
    executor: Executor = "local",
    jobs: Jobs = None,
    submit: Submit = False,
    background: Background = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Repeat published experiments, with a verdict on each figure. Example: seqlab reproduce shakespeare_nanogpt_cpu

    Lays published figures beside ours: reproduced, not reproduced, or not comparable. The same command resumes.
    """
    from seqlab.cli.reproduction_display import listed_json, show_list
    from seqlab.executors.execution import read_execution

    given, execution = read_execution(words or [], executor, jobs, submit=submit, background=background)
    names = [word for word in given if "=" not in word]
    overrides = [word for word in given if "=" in word]
    if listed:
        if given:
            raise ConfigError(f"'{given[0]}' and --list", "leave one of them out")
        if as_json:
            typer.echo(json.dumps(listed_json(config_dir), indent=2, ensure_ascii=False))
        else:
            show_list(config_dir, terminal())
        return
    if not names:
        raise ConfigError("there is nothing to reproduce", "name a reproduction", "see: seqlab reproduce --list")
    from seqlab.reproduction.read import read_reproduction

    for name in names:  # first, so that errors in it are reported before torch is imported
        read_reproduction(name, config_dir)
    from seqlab.cli.comparison_display import TerminalReporter
    from seqlab.cli.display import end_if_failed
    from seqlab.cli.plan_display import show_plan
    from seqlab.cli.reproduction_display import show_outcome
    from seqlab.reproduction.reproduce import planned, prepare, submitted
    from seqlab.reproduction.reproduce import reproduce as run

    prepared = prepare(names, overrides, seeds=seeds, out=out, config_dir=config_dir, fetch=not dry_run)
    if dry_run:
        plans = {one.name: planned(one, elsewhere=execution.is_elsewhere) for one in prepared}
        if as_json:
            told = [{"name": name, "plan": plan.as_json()} for name, plan in plans.items()]
            typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        for name, plan in plans.items() if not as_json else ():
            typer.echo(f"{name}:")
            show_plan(plan, terminal())
        return
    if submit and execution.needs_process:  # one process for all, one after the other
        said = submitted(prepared, execution)
        folders = [str(one.folder) for one in prepared]
        typer.echo(json.dumps({"folders": folders, "pending": said}, indent=2) if as_json else said)
        return
    reporter = TerminalReporter(terminal(stderr=True), quiet=quiet)
    done = []
    for one in prepared:
        done.append(run(one, reporter, execution))
        if done[-1].pending:
            typer.echo(f"{one.name}: {done[-1].pending}", err=as_json)
        elif not as_json:
            show_outcome(done[-1], terminal())
    if as_json:
        told = [{"folder": str(one.folder), "pending": one.pending, **one.outcome.as_json()} for one in done]
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    failed = [f"{label}, seed {seed}: {why}" for one in done for (label, seed), why in one.failed.items()]
    end_if_failed(failed)
