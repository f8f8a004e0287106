"""board, config and list: what there is, and what a run would be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from seqlab.cli.app import app
from seqlab.cli.options import AsJson, ConfigDir, Debug, Overrides
from seqlab.errors import ConfigError


@app.command()
def board(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Whose runs to show.")] = Path("runs"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: a free one.")] = 0,
    debug: Debug = False,
) -> None:
    """Start TensorBoard on the runs and print its address."""
    from seqlab.board import show_board

    show_board(folder, port)


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
