"""What several commands take, in the same words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqlab.cli.completion import complete_name, complete_override


def home(path: Path | None) -> Path | None:
    """For an option's callback: `--folder=~/x` comes as it was typed, since shells expand only what begins with ~."""
    from seqlab.data.files import expanded

    return None if path is None else expanded(path)


Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="What differs from the defaults: model=gru task=sentiment trainer.max_steps=500",
        autocompletion=complete_override,
        show_default=False,
    ),
]
KnownRun = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's folder or name, `last`, or the best on a task: best:char_lm.",
        autocompletion=complete_name,
        show_default=False,
    ),
]
ConfigDir = Annotated[
    Path | None,
    typer.Option(
        "--config-dir", callback=home, help="A folder with your own model/, task/, ... YAML files, searched first."
    ),
]
# for the processes of a comparison, which has checked each model once
Checked = Annotated[bool, typer.Option("--checked", hidden=True)]
RunsDir = Annotated[Path, typer.Option("--runs-dir", callback=home, help="Where to look.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
