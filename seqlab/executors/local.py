"""Runs on this machine, a number of them at a time."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import IO

from seqlab.executors.executor import Ended, Executor, State
from seqlab.executors.job import Job
from seqlab.executors.places import Place, places_for


class LocalExecutor(Executor):
    """Makes `at_once` runs at a time, each in its own place: a share of the cores, and a GPU if there is one (places).

    lock: a file descriptor that each process inherits, so that whoever waits for that lock waits for all of them, even
    if this process was killed.
    """

    def __init__(self, at_once: int = 1, lock: int | None = None) -> None:
        self.lock = lock
        self._free = deque(places_for(at_once))
        self._waiting: deque[Job] = deque()
        self._running: dict[Path, _Running] = {}
        self._ended: dict[Path, Ended] = {}

    def submit(self, jobs: Sequence[Job]) -> None:
        self._waiting.extend(jobs)

    def poll(self) -> Mapping[Path, State]:
        for folder, running in list(self._running.items()):
            running.loads += _load_average()
            if running.process.poll() is not None:
                self._ended[folder] = running.ended()
                self._free.append(running.place)
                del self._running[folder]
        while self._waiting and self._free:
            job = self._waiting.popleft()
            self._running[job.folder] = _start(job, self._free.popleft(), self.lock)
        ended, self._ended = self._ended, {}
        states: dict[Path, State] = {job.folder: "waiting" for job in self._waiting}
        return {**states, **dict.fromkeys(self._running, "running"), **ended}

    def cancel(self, jobs: Sequence[Job]) -> None:
        for folder in [job.folder for job in jobs]:
            if folder in self._running:
                self._running[folder].cancelled = True
                self._running[folder].process.terminate()
        for job in [job for job in self._waiting if job in jobs]:
            self._waiting.remove(job)
            self._ended[job.folder] = Ended(0, "", cancelled=True)

    def close(self) -> None:
        for running in self._running.values():
            running.process.kill()
        for running in self._running.values():
            running.process.wait()
            running.stderr.close()
        self._running.clear()
        self._waiting.clear()


@dataclass
class _Running:
    """A process and where it runs."""

    process: subprocess.Popen[bytes]
    place: Place
    stderr: IO[bytes]
    started: float = field(default_factory=time.monotonic)
    loads: list[float] = field(default_factory=list)
    cancelled: bool = False

    def ended(self) -> Ended:
        """What became of it."""
        self.stderr.seek(0)
        text = self.stderr.read().decode("utf-8", "replace")
        self.stderr.close()
        load = fmean(self.loads) if self.loads else None
        return Ended(self.process.returncode, text, time.monotonic() - self.started, load, self.cancelled)


def _start(job: Job, place: Place, lock: int | None) -> _Running:
    stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the process has ended)
    process = subprocess.Popen(
        job.command(*place.options(job)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        env={**os.environ, **place.environment},
        # a session of its own: Ctrl-C reaches it through us, exactly once
        start_new_session=True,
        pass_fds=() if lock is None else (lock,),
    )
    return _Running(process, place, stderr)


def _load_average() -> list[float]:
    try:
        return [os.getloadavg()[0]]
    except (OSError, AttributeError):  # Windows
        return []
