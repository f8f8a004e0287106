"""train and resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from seqlab.cli.app import app, terminal
from seqlab.cli.completion import complete_name, complete_override
from seqlab.cli.options import AsJson, Checked, ConfigDir, Debug, Overrides, Quiet, home
from seqlab.errors import ConfigError


@app.command()
def train(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    name: Annotated[str | None, typer.Option("--name", help="The run's folder name instead of the time.")] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", callback=home, help="The run's whole folder, which must be new; runs_dir has no say."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, build the network, do not train.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
    checked: Checked = False,
) -> None:
    """Train one model on one task. Example: seqlab train model=lstm task=char_lm"""
    import seqlab
    from seqlab.cli.display import Terminal
    from seqlab.cli.report import show_plan, show_result
    from seqlab.runs.setup import start_config

    given = overrides or []
    if dry_run:
        config, _ = start_config(given, config_dir, name, folder)
        show_plan(config, terminal(), as_json=as_json)
        return
    reporter = Terminal(terminal(stderr=True), quiet=quiet)
    run = seqlab.train(*given, name=name, folder=folder, config_dir=config_dir, reporter=reporter, checked=checked)
    if as_json:
        typer.echo(json.dumps(run.result.as_json(), indent=2))
    else:
        show_result(run.result, terminal(), given, config_dir)


@app.command()
def resume(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run's folder or name, `last`, or one of its checkpoints/step-* to go back to.",
            autocompletion=complete_name,
            show_default=False,
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="What extends the run: trainer.max_steps=2000",
            autocompletion=complete_override,
            show_default=False,
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Train the last interval once more and compare every bit; write nothing.")
    ] = False,
    config_dir: ConfigDir = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
    checked: Checked = False,
) -> None:
    """Go on with a run as if it had never stopped. Example: seqlab resume runs/char_lm/lstm/NAME"""
    if verify and overrides:
        raise ConfigError(f"--verify and {overrides[0]}: nothing can change in what is verified", "leave one out")
    from seqlab.cli.display import Terminal
    from seqlab.cli.report import show_result
    from seqlab.runs import resume as resuming
    from seqlab.runs import verify as verifying
    from seqlab.runs.folder import read_overrides, resume_command

    reporter = Terminal(terminal(stderr=True), quiet=quiet)
    if verify:
        start, end = verifying.verify(run, reporter, config_dir=config_dir)
        said: dict[str, Any] = {"from": start, "to": end, "bit_equal": True}
        typer.echo(json.dumps(said) if as_json else f"steps {start} to {end} trained once more: every bit is the same")
        return
    result = resuming.resume(run, overrides or [], reporter, config_dir=config_dir, checked=checked)
    if isinstance(result, resuming.Finished):
        if as_json:
            typer.echo((result.folder / "result.json").read_text(encoding="utf-8"), nl=False)
        else:
            more = resume_command(result.folder, config_dir, result.more)
            typer.echo(f"{result.folder} is finished, at step {result.step}; to go on: {more}")
    elif as_json:
        typer.echo(json.dumps(result.as_json(), indent=2))
    else:
        show_result(result, terminal(), read_overrides(result.folder), config_dir)
