"""compare."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seqlab.cli.app import app, terminal
from seqlab.cli.completion import complete_word
from seqlab.cli.options import AsJson, Background, ConfigDir, Debug, Executor, Jobs, Quiet, Submit
from seqlab.errors import ConfigError


@app.command()
def compare(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL|RUN|KEY=VALUE...",
            help="A model (rnn), a run (its folder or name), an override for all models (task=sentiment), or, in "
            'quotes, a model with its own overrides: "lstm model.layers=2", or labelled "deep: lstm model.layers=2".',
            autocompletion=complete_word,
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Number of seeds, that is, runs of each model.")] = 3,
    match: Annotated[
        str | None, typer.Option("--match", metavar="PART=N", help="Match the sizes: body=500k or params=500k.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option("--budget", metavar="AMOUNT", help="Train each for 60s, 2Mtokens, 1e14flop or 1000steps."),
    ] = None,
    tune: Annotated[
        str | None,
        typer.Option(
            "--tune",
            metavar="KEY=N",
            help="First tune a setting for each model, on validation: lr=5 (5 values around its default, and up to 5 "
            "more if the best is at an edge) or lr=0.001,0.003.",
        ),
    ] = None,
    config_dir: ConfigDir = None,
    name: Annotated[str | None, typer.Option("--name", help="The comparison's folder in runs/compare.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan: runs, sizes, budget, time.")] = False,
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            metavar="FORM",
            help="Print a paper's table: latex, markdown or csv; a paragraph on methods and PDFs go to paper/.",
        ),
    ] = None,
    executor: Executor = "local",
    jobs: Jobs = None,
    submit: Submit = False,
    background: Background = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare models over seeds, with statistics. Example: seqlab compare rnn transformer

    Trains each with the same seeds and data, and reports which differences are significant. The same command resumes.
    """
    import seqlab
    from seqlab.comparison.forms import check_form
    from seqlab.comparison.request import read_request
    from seqlab.executors.execution import read_execution

    form = None if table is None else check_form(table)
    if form is not None and as_json:
        raise ConfigError("--table and --json", "leave one of them out")
    given, execution = read_execution(words or [], executor, jobs, submit=submit, background=background)
    # parsed first, so that errors in it are reported before torch is imported
    request = read_request(given, seeds=seeds, budget=budget, match=match, tune=tune, config_dir=config_dir)
    from seqlab.cli.comparison_display import TerminalReporter, show_summary
    from seqlab.cli.display import end_if_failed
    from seqlab.cli.plan_display import show_plan
    from seqlab.comparison.compare import plan_only
    from seqlab.comparison.files import as_json as plain

    if dry_run:
        plan = plan_only(request, config_dir, name, elsewhere=execution.is_elsewhere)
        if as_json:
            typer.echo(json.dumps(plan.as_json(), indent=2, ensure_ascii=False))
        else:
            show_plan(plan, terminal())
        return
    reporter = TerminalReporter(terminal(stderr=True), quiet=quiet)
    done = seqlab.compare(
        *given,
        seeds=seeds,
        match=match,
        budget=budget,
        tune=tune,
        config_dir=config_dir,
        name=name,
        executor=execution,
        reporter=reporter,
    )
    if done.pending:
        waiting = {"folder": str(done.folder), "rows": [], "pending": done.pending}
        typer.echo(json.dumps(waiting, indent=2) if as_json else done.pending)
        return
    if done.summary is not None and as_json:
        typer.echo(json.dumps({"folder": str(done.folder), **plain(done.summary)}, indent=2, ensure_ascii=False))
    elif as_json:
        typer.echo(json.dumps({"folder": str(done.folder), "rows": []}, indent=2))
    elif done.summary is not None and form is not None:
        from seqlab.comparison.figures import figures
        from seqlab.comparison.paper import paper_table, write_paper

        typer.echo(paper_table(done.summary, form), nl=False)
        typer.echo(f"methods and PDFs: {write_paper(done.summary, form, figures(done.summary), done.folder)}", err=True)
    elif done.summary is not None:
        show_summary(done.summary, terminal())
        typer.echo(f"\nreport:   {done.folder / 'report.html'}")
        typer.echo(f"curves:   seqlab board {done.folder}")
    end_if_failed([f"{label}, seed {seed}: {why}" for (label, seed), why in done.failed.items()])
