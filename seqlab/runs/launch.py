"""Our launcher: torch's own elastic one, on one machine, with errors and signals as for one process."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from seqlab.errors import Interrupted, ResourceError
from seqlab.runs.ended import VARIABLE, read_note
from seqlab.runs.folder import resume_command

_RESTARTS = 20  # of a run whose processes are killed
_SHUTDOWN_SECONDS = 120  # in which processes finish their step and save


def launch(words: Sequence[str], count: int, folder: Path, config_dir: Path | None) -> None:
    """Run `seqlab WORDS` in `count` processes of this machine, which train together; they are started again if one of
    them is killed. Raises the error that ended them."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    where = [] if config_dir is None else ["--config-dir", str(config_dir)]
    continuing = f"continue with: {resume_command(folder, config_dir)}"
    with tempfile.TemporaryDirectory(prefix="seqlab-") as place, _quiet_launcher(), _signals_kept():
        note = Path(place) / "ended.json"
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="127.0.0.1",
            max_restarts=_RESTARTS,
            logs_specs=DefaultLogsSpecs(log_dir=place),
            signals_to_handle="SIGTERM,SIGINT",
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        with _environment(_for_workers(count, note)):
            try:
                # -P: a file in the user's folder that has the name of a Python module must not be imported in its place
                elastic_launch(config, sys.executable)("-P", "-m", "seqlab", *words, *where)
            except ChildFailedError as error:
                rank, failure = error.get_first_failure()
                raise read_note(note) or ResourceError(
                    f"process {rank} of the run was lost {_RESTARTS + 1} times (exit code {failure.exitcode})",
                    "is there enough memory for all of them?",
                    continuing,
                ) from error
            except SignalException as stop:
                raise read_note(note) or Interrupted("stopped", continuing, 128 + stop.sigval) from stop
        if (ended := read_note(note)) is not None:
            raise ended


def _for_workers(count: int, note: Path) -> dict[str, str]:
    """Environment variables of the processes. What the user has set is kept."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    loopback = {"linux": "lo", "darwin": "lo0"}.get(sys.platform)
    wanted = {"OMP_NUM_THREADS": str(max(1, cores // count))}
    if loopback is not None:
        wanted["GLOO_SOCKET_IFNAME"] = loopback
    return {VARIABLE: str(note), **{key: value for key, value in wanted.items() if key not in os.environ}}


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)


@contextmanager
def _quiet_launcher() -> Iterator[None]:
    """Without the launcher's own log, which says the same in fifty lines."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("torch.distributed")]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """The launcher sets handlers and leaves them behind."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(ValueError, TypeError):  # outside the main thread, where the launcher sets none
                signal.signal(number, handler)
