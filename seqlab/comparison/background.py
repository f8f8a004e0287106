"""A process in the background that makes the runs of a comparison, and how another one follows it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from seqlab.comparison.plan import Plan, read_plan
from seqlab.comparison.reporter import ComparisonReporter
from seqlab.core.files import read_json, write_json
from seqlab.errors import Interrupted, ResourceError
from seqlab.executors.execution import Execution
from seqlab.executors.job import Job, Status
from seqlab.runs.faults import on_stop
from seqlab.runs.lock import locked

LOG = "background.log"
_HELD, _STATES = ".background", "states.json"
_POLL_SECONDS = 0.5
_STATE = ("label", "seed", "trial", "status", "reason", "code", "seconds")


def start(command: Sequence[str], folders: Sequence[Path]) -> int | None:
    """Run `seqlab` with these arguments in the background, for the comparisons in these folders. Its output goes to
    background.log in the first. Returns its process id; None if one of them has such a process already.

    The process holds a lock in each folder as long as it lives. Raises ResourceError where the system has no such
    locks.
    """
    try:
        import fcntl
    except ImportError as error:
        raise ResourceError("--submit needs locks that Windows does not have", "leave it out") from error
    held: list[int] = []
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            held.append(os.open(folder / _HELD, os.O_RDWR | os.O_CREAT, 0o644))
            try:
                fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
        with (folders[0] / LOG).open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "seqlab", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=held,
            )
        about = json.dumps({"process": process.pid, "host": socket.gethostname(), "log": str(folders[0] / LOG)})
        for folder, descriptor in zip(folders, held, strict=True):
            (folder / _STATES).unlink(missing_ok=True)
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, about.encode(), 0)
        return process.pid
    finally:
        for descriptor in held:
            os.close(descriptor)


def submit(command: str, execution: Execution, folders: Sequence[Path]) -> str:
    """Have this command, as `command_line` gives it, make the runs in these folders in the background. Returns a
    sentence about it. Raises LockedError if a process in the foreground makes some of them."""
    for folder in folders:
        if process_of(folder) is None:
            with locked(folder):
                pass
    words = [*shlex.split(command)[1:], *execution.options(), "--background"]
    process = start(words, folders)
    if process is None:
        return "a process in the background makes these runs already; the same command without --submit shows them"
    where = folders[0] / LOG
    return f"process {process} makes the runs; its output is in {where}; the same command without --submit shows them"


def teller(jobs: Sequence[Job], folder: Path, refresh: Callable[[], None]) -> Callable[[], None]:
    """The function that is called after each look at the runs; it also leaves word of what has changed."""
    last: list[Status] = []

    def tell() -> None:
        refresh()
        now = [job.status for job in jobs]
        if now != last:
            last[:] = now
            write_states(jobs, folder)

    return tell


def take_over(jobs: Sequence[Job], ended: Sequence[Job]) -> None:
    """What has just failed in the background is not repeated by the command that followed it."""
    failed = {job.folder: job for job in ended if job.status == "failed"}
    for job in jobs:
        if (known := failed.get(job.folder)) is not None:
            job.status, job.reason, job.code = "failed", known.reason, known.code


def process_of(folder: Path) -> dict[str, Any] | None:
    """The process in the background that is at work in the folder (process, host, log); None if there is none."""
    try:
        import fcntl

        with (folder / _HELD).open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with suppress(OSError, ValueError):
            found = read_json(folder / _HELD)
            return found if isinstance(found, dict) else {}
        return {}  # it has only just begun
    except (ImportError, OSError):
        pass
    return None


def write_states(jobs: Sequence[Job], folder: Path) -> None:
    """Leave word of how far the runs are, for whoever follows."""
    rows = [{"folder": str(job.folder), **{key: getattr(job, key) for key in _STATE}} for job in jobs]
    write_json(folder / _STATES, rows)


def read_states(folder: Path) -> list[Job]:
    """The runs as the process in the background has left word of them; none if it has not."""
    try:
        rows = read_json(folder / _STATES)
        return [Job(folder=Path(row.pop("folder")), overrides=(), config_dir=None, **row) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def follow(folder: Path, reporter: ComparisonReporter, read: Callable[[Path], Plan | None] = read_plan) -> list[Job]:
    """Show the runs that a process in the background makes, until it ends. Returns them as it left them.

    read: reads the plan in the folder; None while there is none.

    Raises Interrupted after Ctrl-C: at once, or once that process has saved and ended, if the user wants it to end.
    """
    stopped: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopped.append(number)

    reporter.say("a process in the background makes the runs")
    asked = False
    while (process := process_of(folder)) is not None:
        with on_stop(stop):
            _show(folder, reporter, read, stopped)
        if stopped and not asked:
            asked = True
            if stopped[-1] == signal.SIGTERM or reporter.leave_running():
                raise Interrupted("the runs go on", "the same command shows them again", 128 + stopped[-1])
            _end(process)
            stopped.clear()
    if asked:
        raise Interrupted("the runs were stopped", "the same command makes those that are missing", 130)
    return read_states(folder)


def _show(folder: Path, reporter: ComparisonReporter, read: Callable[[Path], Plan | None], stopped: list[int]) -> None:
    """The live table of one list of runs, until the process ends, has another list, or a signal comes."""
    jobs, plan = read_states(folder), None
    with suppress(Exception):  # it is being written
        plan = read(folder)
    if not jobs or plan is None:
        time.sleep(_POLL_SECONDS)
        return
    with reporter.runs(jobs, plan, "") as refresh:
        while process_of(folder) is not None and not stopped:
            known = {job.folder: job for job in read_states(folder)}
            if known.keys() != {job.folder for job in jobs}:
                return
            for job in jobs:
                now = known[job.folder]
                job.status, job.reason, job.code = now.status, now.reason, now.code
                job.seconds = max(now.seconds, job.seconds + _POLL_SECONDS if now.status == "running" else 0)
                job.read_log()
            refresh()
            time.sleep(_POLL_SECONDS)


def _end(process: dict[str, Any]) -> None:
    """Ask the process to end."""
    if process.get("host") != socket.gethostname():
        raise ResourceError(
            f"the process that makes the runs is on {process.get('host')}",
            f"end it there: kill {process.get('process')}",
        )
    with suppress(ProcessLookupError):
        os.kill(int(process["process"]), signal.SIGTERM)
