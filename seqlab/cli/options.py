"""What several commands take, in the same words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqlab.cli.completion import complete_name, complete_override

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
    typer.Option("--config-dir", help="A folder with your own model/, task/, ... YAML files, searched first."),
]
# for the processes of a comparison, which has checked each model once
Checked = Annotated[bool, typer.Option("--checked", hidden=True)]
RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Where to look.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
