"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqlab.cli.completion import complete_name, complete_override
from seqlab.config.sources import VARIABLE, check_variable


def home(path: Path | None) -> Path | None:
    """Callback of path options: expands `~` in `--folder=~/x`, since shells expand it only at the start of a word."""
    from seqlab.data.files import expanded

    return None if path is None else expanded(path)


def from_environment(context: typer.Context) -> bool:
    """Whether the config folder was set by the environment variable, not on the command line."""
    source = context.get_parameter_source("config_dir")
    return source is not None and source.name == "ENVIRONMENT"


def _own_folder(context: typer.Context, path: Path | None) -> Path | None:
    """home() for --config-dir; the error names the environment variable if that set the folder."""
    folder = home(path)
    return check_variable(folder) if folder is not None and from_environment(context) else folder


Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Settings that differ from the defaults: model=gru task=sentiment trainer.max_steps=500",
        autocompletion=complete_override,
        show_default=False,
    ),
]
KnownRun = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: its folder or name, `last`, or the best on a task (best:char_lm).",
        autocompletion=complete_name,
        show_default=False,
    ),
]
ConfigDir = Annotated[
    Path | None,
    typer.Option(
        "--config-dir",
        envvar=VARIABLE,
        callback=_own_folder,
        help="A folder with your own model/, task/, ... YAML files, searched first.",
        show_default=False,
    ),
]
Executor = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="NAME",
        help="Who makes the runs: local, slurm, ray or script. Its settings are words: executor.time=2h",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", min=1, help="How many runs are made at a time.", show_default="1; with slurm and ray as many as fit"
    ),
]
Submit = Annotated[bool, typer.Option("--submit", help="Return at once; the same command later shows how far it is.")]
# for the process that --submit leaves behind
Background = Annotated[bool, typer.Option("--background", hidden=True)]
RunsDir = Annotated[Path, typer.Option("--runs-dir", callback=home, help="The folder of runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
