"""The command new: a starting point for a user's own model or task."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from seqlab.cli.app import app, terminal
from seqlab.cli.options import Debug, home
from seqlab.config.new import KINDS, write_new
from seqlab.config.sources import VARIABLE, group_files
from seqlab.errors import printable
from seqlab.insight.views import VIEWS
from seqlab.runs.names import ALIASES

_ABOUT = {"module": "what it computes", "config": "its settings", "test": "its tests"}


def _complete_kind(incomplete: str) -> list[str]:
    return [kind for kind in KINDS if kind.startswith(incomplete)]


@app.command()
def new(
    kind: Annotated[str, typer.Argument(metavar="model|task", autocompletion=_complete_kind, show_default=False)],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: model=NAME or task=NAME.", show_default=False)],
    folder: Annotated[
        Path,
        typer.Option(
            "--in", "--config-dir", metavar="FOLDER", envvar=VARIABLE, callback=home, help="Your own config folder."
        ),
    ] = Path("my_configs"),
    debug: Debug = False,
) -> None:
    """Write a starting point for your own model or task. Example: seqlab new model mine

    It consists of a module, its YAML and its tests, and works as it is: change it step by step, while the tests and
    `seqlab check` pass."""
    written = write_new(kind, name, folder, (*ALIASES, *VIEWS))
    console = terminal()
    width = max(len(printable(str(path))) for path in written.values())
    for what, path in written.items():
        console.print(Text.assemble((f"{printable(str(path)):<{width}}", "cyan"), f"  {_ABOUT[what]}"), soft_wrap=True)
    where = ["--config-dir", str(folder)]
    ours = list(group_files("model", None))[:2]
    compared = [name, ours[0]] if kind == "model" else [*ours, f"task={name}"]
    console.print("next:")
    for words in (
        [Path(sys.executable).name, "-m", "pytest", str(written["test"])],
        ["seqlab", "check", f"{kind}={name}", *where],
        ["seqlab", "train", f"{kind}={name}", *where],
        ["seqlab", "compare", *compared, *where],
    ):
        console.print(Text(f"  {shlex.join(words)}"), soft_wrap=True)
