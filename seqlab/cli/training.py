"""The commands train and resume."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from seqlab.cli.app import app, terminal
from seqlab.cli.completion import complete_name, complete_override
from seqlab.cli.options import AsJson, ConfigDir, Debug, Overrides, Quiet, home
from seqlab.errors import ConfigError
from seqlab.runs.ended import is_first, shows


@app.command()
def train(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The name of the run's folder, instead of the time.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", callback=home, help="The run's full path, which must not exist; ignores runs_dir."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the config and the data and build the network, but do not train.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
    multirun: Annotated[bool, typer.Option("-m", "--multirun", hidden=True)] = False,
) -> None:
    """Train one model on one task. Example: seqlab train model=lstm task=char_lm"""
    if multirun:  # as in other Hydra programs
        line = shlex.join(["seqlab", "sweep", *(overrides or ["optim.learning_rate=1e-3,3e-3"])])
        raise ConfigError("train makes one run", f"a run for each combination of values: {line}")
    import seqlab
    from seqlab.cli.display import Terminal
    from seqlab.cli.report import show_dry_run, show_result
    from seqlab.runs.dry_run import dry_run as dry_run_of
    from seqlab.runs.setup import start_config

    given = overrides or []
    if dry_run:
        config, _ = start_config(given, config_dir, name, folder)
        found = dry_run_of(config)
        if as_json:
            typer.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
        else:
            show_dry_run(found, terminal())
        return
    reporter = Terminal(terminal(stderr=True), quiet=quiet or not is_first())
    run = seqlab.train(*given, name=name, folder=folder, config_dir=config_dir, reporter=reporter)
    if not shows():
        return
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
            help="A run: its folder or name, or `last`; or one of its checkpoints/step-*, to continue from that one.",
            autocompletion=complete_name,
            show_default=False,
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="New limits to extend the run: trainer.max_steps=2000; other trackers: logging=csv",
            autocompletion=complete_override,
            show_default=False,
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Repeat the last checkpoint interval and compare every bit; write nothing.")
    ] = False,
    config_dir: ConfigDir = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Resume a run as if it had never stopped, or extend it. Example: seqlab resume last"""
    if verify and overrides:
        raise ConfigError(f"--verify cannot change settings: {overrides[0]}", "drop one of them")
    from seqlab.cli.display import Terminal
    from seqlab.cli.report import show_result
    from seqlab.runs import verify as verifying
    from seqlab.runs.folder import read_overrides, resume_command
    from seqlab.runs.resume import Finished
    from seqlab.runs.start import go_on

    reporter = Terminal(terminal(stderr=True), quiet=quiet or not is_first())
    if verify:
        start, end = verifying.verify(run, reporter, config_dir=config_dir)
        verdict: dict[str, Any] = {"from": start, "to": end, "bit_equal": True}
        typer.echo(
            json.dumps(verdict) if as_json else f"steps {start} to {end} trained once more: every bit is the same"
        )
        return
    result = go_on(run, overrides or [], reporter, config_dir=config_dir)
    if not shows():
        return
    if isinstance(result, Finished):
        if as_json:
            typer.echo((result.folder / "result.json").read_text(encoding="utf-8"), nl=False)
        else:
            more = resume_command(result.folder, config_dir, result.more)
            typer.echo(f"{result.folder} is finished, at step {result.step}; to continue: {more}")
    elif as_json:
        typer.echo(json.dumps(result.as_json(), indent=2))
    else:
        show_result(result, terminal(), read_overrides(result.folder), config_dir)
