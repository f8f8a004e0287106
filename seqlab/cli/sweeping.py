"""sweep."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seqlab.cli.app import app, terminal
from seqlab.cli.completion import complete_override
from seqlab.cli.options import AsJson, Background, ConfigDir, Debug, Executor, Quiet, Submit


@app.command()
def sweep(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUES...",
            help="Settings, some with several values, in Hydra's sweep grammar: model=lstm,gru "
            "'model.width=range(64,257,64)' 'model=glob(*)' 'model.dropout=interval(0,0.5)'.",
            autocompletion=complete_override,
            show_default=False,
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search", metavar="NAME", help="Search instead of every combination: optuna.", show_default="grid"
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help="Trials of a search.", show_default="20")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune/--no-prune", help="In a search, end a trial that validates worse than the median.")
    ] = True,
    config_dir: ConfigDir = None,
    name: Annotated[str | None, typer.Option("--name", help="The sweep's folder in runs/sweep.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan: trials, sizes, time.")] = False,
    executor: Executor = "local",
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            min=1,
            help="How many trials are made at a time; a new search also chooses as many at once, and keeps to it.",
            show_default="1; of a grid with slurm and ray as many as fit",
        ),
    ] = None,
    submit: Submit = False,
    background: Background = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Try settings, and choose the best on validation. Example: seqlab sweep optim.learning_rate=1e-3,3e-3

    Trains every combination, or searches (--search optuna). The same command goes on where it was stopped.
    """
    import seqlab
    from seqlab.executors.execution import read_execution
    from seqlab.sweeps.request import read_sweep

    given, execution = read_execution(words or [], executor, jobs, submit=submit, background=background)
    # parsed first, so that errors in it are reported before torch is imported
    request = read_sweep(given, search=search, trials=trials, prune=prune, config_dir=config_dir)
    from seqlab.cli.display import end_if_failed
    from seqlab.cli.sweep_display import SweepTerminal, show_sweep, show_sweep_plan
    from seqlab.sweeps.summary import as_json as plain
    from seqlab.sweeps.sweep import plan_only

    if dry_run:
        plan = plan_only(request, config_dir, name, elsewhere=execution.is_elsewhere)
        if as_json:
            typer.echo(json.dumps(plan.as_json(request), indent=2, ensure_ascii=False))
        else:
            show_sweep_plan(plan, request, terminal())
        return
    reporter = SweepTerminal(terminal(stderr=True), quiet=quiet)
    done = seqlab.sweep(
        *given,
        search=search,
        trials=trials,
        prune=prune,
        config_dir=config_dir,
        name=name,
        executor=execution,
        reporter=reporter,
    )
    if done.pending:
        waiting = {"folder": str(done.folder), "trials": [], "pending": done.pending}
        typer.echo(json.dumps(waiting, indent=2) if as_json else done.pending)
        return
    if as_json:
        found = {"trials": []} if done.summary is None else plain(done.summary)
        typer.echo(json.dumps({"folder": str(done.folder), **found}, indent=2, ensure_ascii=False))
    elif done.summary is not None:
        show_sweep(done.summary, terminal())
        typer.echo(f"\nreport:   {done.report}")
        typer.echo(f"curves:   seqlab board {done.folder}")
    end_if_failed([f"trial {number}: {why}" for number, why in done.failed.items()])
