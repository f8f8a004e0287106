"""The process that makes one of many runs, wherever an executor starts it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from seqlab.cli.app import app, terminal
from seqlab.config.sources import VARIABLE

_LOCKED_SECONDS = 120.0  # a process that was told to stop may take so long to finish its step and save


@app.command(hidden=True)
def make(
    overrides: Annotated[list[str], typer.Argument()],
    folder: Annotated[Path, typer.Option("--folder")],
    config_dir: Annotated[Path | None, typer.Option("--config-dir")] = None,
    divergence_is_final: Annotated[bool, typer.Option("--divergence-is-final")] = False,
    cores: Annotated[str, typer.Option("--cores")] = "",
    with_parent: Annotated[int | None, typer.Option("--with-parent")] = None,
) -> None:
    """Make a run: train it, or resume it if it was stopped, or leave it alone if it is complete.

    It may be started any number of times, on any machine that sees the folder. If another process is making the run,
    which the lock in its folder tells, it waits for that one. cores: the CPU cores to use, as numbers. with_parent:
    save and end when the parent process, which has this number, ends (Linux).
    """
    if with_parent is not None:
        from seqlab.executors.carried import end_with_parent

        end_with_parent(with_parent)
    if cores:
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    os.environ.pop(VARIABLE, None)  # the options name the config folder, if there is one
    # only now: torch counts the cores when it is imported
    import seqlab
    from seqlab.cli.display import Terminal
    from seqlab.executors.job import Job
    from seqlab.runs.lock import wait_until_free
    from seqlab.runs.start import go_on

    *given, seed = overrides
    number = int(seed.removeprefix("seed="))
    job = Job("", number, folder, tuple(given), config_dir, divergence_is_final=divergence_is_final)
    wait_until_free(folder, _LOCKED_SECONDS)
    if job.has_ended():
        raise typer.Exit(job.code)
    reporter = Terminal(terminal(stderr=True), quiet=True)
    # checked: planning has checked the model once for all its runs
    if job.is_resumable():
        job.renew_logging()
        go_on(folder, (), reporter, config_dir=config_dir, checked=True)
    else:
        job.clear()
        seqlab.train(*overrides, folder=folder, config_dir=config_dir, reporter=reporter, checked=True)
