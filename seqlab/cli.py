"""The command line: parse, call one function, print. Nothing here imports torch until it is needed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from seqlab.completion import complete_override
from seqlab.errors import ConfigError, SeqlabError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="What differs from the defaults: model=gru task=sentiment trainer.max_steps=500",
        autocompletion=complete_override,
        show_default=False,
    ),
]
ConfigDir = Annotated[
    Path | None,
    typer.Option("--config-dir", help="A folder with your own model/, task/, ... YAML files, searched first."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        from seqlab import __version__

        typer.echo(f"seqlab {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train and compare deep sequence models: rnn, lstm, gru and transformer on three tasks."""


@app.command()
def train(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    name: Annotated[str | None, typer.Option("--name", help="The run's folder name instead of the time.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, build the network, do not train.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Train one model on one task. Example: seqlab train model=lstm task=char_lm"""
    from seqlab.config.run import load_run_config

    given = overrides or []
    config = load_run_config(given, config_dir)
    from seqlab import experiment
    from seqlab.report import show_plan, show_result

    if dry_run:
        show_plan(config, Console(), as_json=as_json)
        return
    result = experiment.train(config, Console(stderr=True), overrides=given, name=name, quiet=quiet)
    if as_json:
        typer.echo(json.dumps(result.as_json(), indent=2))
    else:
        show_result(result, Console(), given, config_dir)


@app.command()
def config(overrides: Overrides = None, config_dir: ConfigDir = None, debug: Debug = False) -> None:
    """Print the composed config: every setting with its value."""
    from seqlab.config.run import load_run_config

    typer.echo(load_run_config(overrides or [], config_dir).yaml, nl=False)


@app.command("list")
def list_options(
    what: Annotated[
        str | None, typer.Argument(metavar="[models|tasks|corpora|experiments|devices]", show_default=False)
    ] = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what there is to choose from."""
    from seqlab.catalogue import catalogue

    found = catalogue(config_dir)
    if what is not None and what not in found:
        raise ConfigError(f"there is nothing called '{what}' to list", allowed=f"list: {', '.join(found)}")
    chosen: dict[str, Any] = found if what is None else {what: found[what]}
    if as_json:
        typer.echo(json.dumps(chosen, indent=2, ensure_ascii=False))
        return
    console = Console()
    for heading, entries in chosen.items():
        console.print(f"[bold]{heading}[/]")
        width = max((len(entry) for entry in entries), default=0)
        for entry, about in entries.items():
            console.print(f"  [cyan]{entry:<{width}}[/]  {about}", highlight=False)


def main() -> None:
    """Run the command line; every SeqlabError becomes at most three lines and its exit code."""
    debug = "--debug" in sys.argv
    try:
        code = app(prog_name="seqlab", standalone_mode=False)
    except SeqlabError as error:
        if debug:
            raise
        _complain(error)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):  # Ctrl-C before or after a run
        typer.echo("stopped", err=True)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _usage(error)
    sys.exit(code or 0)


def _usage(error: Exception) -> int:
    """click's own complaints (an unknown option, say) in our style; anything else is a bug and is shown whole."""
    format_message = getattr(error, "format_message", None)
    if format_message is None:
        raise error
    message = format_message()
    if message:  # without words click has shown the help already
        _complain(ConfigError(message[0].lower() + message[1:].rstrip("."), "see: seqlab --help"))
    return 2


def _complain(error: SeqlabError) -> None:
    console = Console(stderr=True)
    first, *rest = error.lines()
    label, _, what = first.partition(" ")
    console.print(f"[bold red]{label}[/]", end=" ")
    for line in (what, *rest):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
