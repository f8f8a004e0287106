"""Making a list of runs with an executor, watched from here until all have ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from seqlab.errors import Interrupted
from seqlab.executors.executor import Ended, Executor
from seqlab.executors.job import Job
from seqlab.runs.faults import on_stop
from seqlab.runs.folder import read_result

_LATE_SECONDS = 60.0  # until a shared file system shows what another machine wrote


class LeftRunning(Exception):
    """Nobody watches the runs any more, and they go on. signal: the one that asked to stop; None if none did."""

    def __init__(self, jobs: Sequence[Job], number: int | None) -> None:
        super().__init__(f"{len(jobs)} runs go on")
        self.jobs, self.signal = tuple(jobs), number


def run_jobs(
    jobs: Sequence[Job],
    executor: Executor,
    on_poll: Callable[[], None] = lambda: None,
    on_end: Callable[[Job], None] = lambda _: None,
    *,
    watched: bool = True,
) -> int | None:
    """Make every run that waits and has no result yet, and keep `jobs` up to date: status, reason, log.

    on_poll: called after each look at the runs, several times a second. It may end runs early by `executor.cancel`:
    they save and end with the status `cancelled`, while the others go on. on_end: called with each run whose process
    has ended. watched: False only submits.

    Returns the signal that asked to stop, if it came too late to stop any. Raises Interrupted after Ctrl-C or SIGTERM,
    once the current runs have saved and ended; LeftRunning instead if the executor's runs go on without this process,
    and if they are not watched. CheckpointError, before any is started, for a folder with a run of other settings.
    """
    for job in jobs:
        if job.status == "waiting" and job.has_ended():
            job.read_log()
    due = [job for job in jobs if job.status == "waiting"]
    for job in due:
        job.resumed = job.is_resumable()
    watch = _Watch(due, executor, on_poll, on_end)
    with on_stop(watch.stop):
        executor.submit(due)
        if due and not watched:
            raise LeftRunning(due, None)
        while watch.open:
            watch.look()
            if watch.open:
                time.sleep(executor.poll_seconds)
    if watch.signal is not None and any(job.status == "waiting" for job in jobs):
        done = sum(job.status == "done" for job in jobs)
        raise Interrupted(f"stopped with {done} of {len(jobs)} runs made", "", 128 + watch.signal)
    return watch.signal


def end_jobs(jobs: Sequence[Job], executor: Executor) -> None:
    """Have runs that were submitted save and end, and wait for that."""
    executor.cancel(jobs)
    folders = {job.folder for job in jobs}
    # an end is reported once, maybe before: what is not named has ended
    while any(folder in folders and not isinstance(state, Ended) for folder, state in executor.poll().items()):
        time.sleep(executor.poll_seconds)


class _Watch:
    """The runs that have not ended, and the last signal that came meanwhile."""

    def __init__(
        self,
        jobs: Sequence[Job],
        executor: Executor,
        on_poll: Callable[[], None],
        on_end: Callable[[Job], None],
    ) -> None:
        self.executor, self.on_poll, self.on_end = executor, on_poll, on_end
        self.open = {job.folder: job for job in jobs}
        self.signal: int | None = None
        self._is_new = False
        self._started: dict[Path, float] = {}
        self._late: dict[Path, tuple[Ended, float]] = {}

    def stop(self, number: int, _: FrameType | None) -> None:
        """Handle Ctrl-C and SIGTERM: the next look passes it on, each time."""
        self.signal, self._is_new = number, True

    def look(self) -> None:
        """Bring every open run up to date."""
        if self._is_new:
            self._is_new = False
            if self.executor.detached:
                going = [job for job in self.open.values() if job.folder not in self._late]
                if going:
                    raise LeftRunning(going, self.signal)
                self._forget_late()  # all have ended, and nobody waits for their results any more
            else:
                self.executor.cancel(list(self.open.values()))
        for folder, state in self.executor.poll().items():
            job = self.open.get(folder)
            if job is not None and isinstance(state, Ended):
                self._late[folder] = (state, time.monotonic() + _LATE_SECONDS)
            elif job is not None and state == "running":
                self._follow(job)
            elif job is not None:
                job.status = "waiting"  # again, where an engine has put it back into its queue
        for folder, (ended, last) in list(self._late.items()):
            if ended.code or ended.cancelled or time.monotonic() > last or _has_result(folder):
                del self._late[folder]
                self._end(self.open.pop(folder), ended)
        self.on_poll()

    def _forget_late(self) -> None:
        for folder in self._late:
            self.open.pop(folder).status = "waiting"
        self._late.clear()

    def _follow(self, job: Job) -> None:
        if job.status != "running":
            job.status = "running"
            job.forget_log()
            self._started[job.folder] = time.monotonic()
        job.seconds = time.monotonic() - self._started[job.folder]
        job.read_log()

    def _end(self, job: Job, ended: Ended) -> None:
        job.seconds, job.load = ended.seconds, ended.load
        job.read_log()
        if read_result(job.folder) is not None:
            job.status = "done"
        elif ended.cancelled:
            job.status = "waiting" if self.signal is not None else "cancelled"
        else:
            job.status, job.reason, job.code = "failed", _reason(ended.code, ended.stderr), ended.code
            if not _says_error(ended.stderr) and (log := job.folder / "train.log").is_file():
                job.reason += f"; see {log}"
        if ended.seconds:
            self.on_end(job)


def _has_result(folder: Path) -> bool:
    """Whether a run is complete, whatever was known of its folder a moment ago."""
    with suppress(OSError):
        list(folder.iterdir())  # has NFS look again
    return read_result(folder) is not None


def _says_error(text: str) -> bool:
    """Whether stderr has an error that is meant for users."""
    return any(line.strip().startswith("error: ") for line in text.splitlines())


def _reason(code: int, text: str) -> str:
    """Why a run failed, in one line. code: its exit code. text: its stderr."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = next((index for index, line in enumerate(lines) if line.startswith("error: ")), None)
    if first is not None:
        return "; ".join(lines[first : first + 2]).removeprefix("error: ")
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return f"killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
    return lines[-1] if lines else f"exit code {code}"
