"""Making the runs of a comparison: one process a run."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from types import FrameType

from seqlab.comparison.job import Job
from seqlab.config.sources import VARIABLE
from seqlab.core.files import discard
from seqlab.errors import Interrupted
from seqlab.runs.faults import on_stop
from seqlab.runs.folder import read_result
from seqlab.runs.lock import locked

_POLL_SECONDS = 0.2


class Executor:
    """Makes runs on this machine, one after the other, each in its own process: a crash ends one run only, and peak
    memory is that of one run. on_poll: called several times a second. lock: a file descriptor that each process
    inherits, so that the comparison stays locked while one of them lives. on_end: called after each process."""

    def __init__(
        self,
        jobs: Sequence[Job],
        on_poll: Callable[[], None],
        lock: int | None = None,
        on_end: Callable[[Job], None] = lambda _: None,
    ) -> None:
        self.jobs, self.on_poll, self.lock, self.on_end = jobs, on_poll, lock, on_end
        self.process: subprocess.Popen[bytes] | None = None
        self.stop_signal: int | None = None

    def run(self) -> None:
        """Make every run that has no result yet. Raises Interrupted after Ctrl-C or SIGTERM, once the current one has
        saved and ended."""
        for job in self.jobs:
            if job.has_ended():
                job.read_log()
        with on_stop(self._stop):
            for job in self.jobs:
                if job.status == "waiting" and self.stop_signal is None:
                    self._run(job)
                if self.stop_signal is not None and any(job.status == "waiting" for job in self.jobs):
                    done = sum(job.status == "done" for job in self.jobs)
                    raise Interrupted(f"stopped with {done} of {len(self.jobs)} runs made", "", 128 + self.stop_signal)

    def _run(self, job: Job) -> None:
        job.resumed = job.is_resumable()
        if not job.resumed:
            _clear(job.folder)
        job.forget_log()
        job.status, started, loads = "running", time.monotonic(), list[float]()
        with tempfile.TemporaryFile() as stderr:
            self.process = subprocess.Popen(
                job.command(resumed=job.resumed),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                # the command names the config folder, if there is one
                env={name: value for name, value in os.environ.items() if name != VARIABLE},
                # a session of its own: Ctrl-C reaches it through us, exactly once
                start_new_session=True,
                # while it lives the comparison stays locked, even if we were killed
                pass_fds=() if self.lock is None else (self.lock,),
            )
            if self.stop_signal is not None:  # it came before the process existed
                self.process.send_signal(self.stop_signal)
            try:
                while self.process.poll() is None:
                    job.seconds = time.monotonic() - started
                    loads += _load_average()
                    job.read_log()
                    self.on_poll()
                    time.sleep(_POLL_SECONDS)
            except BaseException:
                self.process.kill()
                self.process.wait()
                raise
            job.seconds = time.monotonic() - started
            job.load = fmean(loads) if loads else None
            job.read_log()
            stderr.seek(0)
            text = stderr.read().decode("utf-8", "replace")
        code = self.process.returncode
        if read_result(job.folder) is not None:
            job.status = "done"
        elif self.stop_signal is not None:
            job.status = "waiting"
        else:
            job.status, job.reason, job.code = "failed", _reason(code, text), code
        self.process = None
        self.on_end(job)
        self.on_poll()

    def _stop(self, number: int, _: FrameType | None) -> None:
        self.stop_signal = number
        if self.process is not None:
            self.process.send_signal(number)


def _clear(folder: Path) -> None:
    """Remove what a stopped run left behind."""
    if folder.exists():
        with locked(folder):  # not while somebody resumes it by hand
            discard(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)


def _load_average() -> list[float]:
    """The machine's load average over a minute; empty where the system has none."""
    try:
        return [os.getloadavg()[0]]
    except (OSError, AttributeError):  # Windows
        return []


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
