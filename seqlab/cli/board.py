"""TensorBoard on a folder of runs, reachable from this machine only."""

from __future__ import annotations

import threading
from pathlib import Path

import typer

from seqlab.errors import ConfigError, ResourceError


def show_board(folder: Path, port: int) -> None:
    """Serve TensorBoard for `folder` on loopback until Ctrl-C; port 0 takes a free one. Prints the address."""
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder", "train a run first, or give the folder of your runs")
    from tensorboard import program

    server = program.TensorBoard()
    # fast loading prints three lines of warning that it is experimental
    where = ["--logdir", str(folder), "--host", "127.0.0.1", "--port", str(port), "--load_fast", "false"]
    server.configure(argv=["tensorboard", *where])
    try:
        address = server.launch()
    except program.TensorBoardServerException as error:
        raise ResourceError(f"TensorBoard cannot start: {str(error).splitlines()[0]}", "try --port 0") from error
    typer.echo(f"{address}   (Ctrl-C stops it)")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        typer.echo()
