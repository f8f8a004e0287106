"""The commands board, config and list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from seqlab.cli.app import app, terminal
from seqlab.cli.options import AsJson, ConfigDir, Debug, Overrides, from_environment, home
from seqlab.config.sources import VARIABLE
from seqlab.errors import ConfigError, printable


@app.command()
def board(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", callback=home, help="The folder whose runs are shown.")
    ] = Path("runs"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")] = 0,
    debug: Debug = False,
) -> None:
    """Start TensorBoard on the runs and print its address."""
    from seqlab.cli.board import show_board

    show_board(folder, port)


@app.command()
def config(
    context: typer.Context, overrides: Overrides = None, config_dir: ConfigDir = None, debug: Debug = False
) -> None:
    """Print the composed config: every setting, or only the values of the given keys.

    A group with options (model) gives the name of its option, with a dot (model.) its settings; trainer gives settings.

    Example: seqlab config model=gru optim.learning_rate"""
    from seqlab.config.run import load_run_config

    words = overrides or []
    keys = [word for word in words if "=" not in word and not word.startswith("~")]
    composed = load_run_config([word for word in words if word not in keys], config_dir)
    if not keys:
        if config_dir is not None:
            by = VARIABLE if from_environment(context) else "--config-dir"
            typer.echo(f"# {by}: {printable(str(config_dir))}")
        typer.echo(composed.yaml, nl=False)
        return
    import yaml

    from seqlab.config.explain import explain_override
    from seqlab.config.suggest import nearest_key
    from seqlab.runs.catalogue import flat

    groups = {key: node for key, node in composed.tree.items() if isinstance(node, dict)}
    known = {**groups, **flat(composed.tree), **composed.names}
    values: dict[str, Any] = {**{f"{group}.": node for group, node in groups.items()}, **known}
    for key in keys:
        if key not in values:
            near = nearest_key(key, known)
            if "." not in key and near is None:
                raise explain_override(key, config_dir)
            raise ConfigError(f"there is no setting '{key}'", f"did you mean {near}?" if near else "see: seqlab config")
    for key in keys:
        value = values[key]
        if isinstance(value, dict):
            typer.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), nl=False)
        else:
            typer.echo(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


@app.command("list")
def list_options(
    what: Annotated[
        str | None, typer.Argument(metavar="[models|tasks|corpora|experiments|devices|trackers]", show_default=False)
    ] = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the available models, tasks, corpora, experiments, devices and trackers."""
    from seqlab.config.catalogue import catalogue
    from seqlab.config.suggest import did_you_mean

    found = catalogue(config_dir)
    if what is not None and what not in found:
        raise ConfigError(
            f"there is nothing called '{what}' to list", did_you_mean(what, found), f"list: {', '.join(found)}"
        )
    chosen: dict[str, Any] = found if what is None else {what: found[what]}
    if as_json:
        typer.echo(json.dumps(chosen, indent=2, ensure_ascii=False))
        return
    console = terminal()
    for heading, entries in chosen.items():
        console.print(Text(heading, style="bold"))
        width = max((len(entry) for entry in entries), default=0)
        for entry, about in entries.items():
            console.print(Text.assemble("  ", (f"{entry:<{width}}", "cyan"), f"  {about}"))
