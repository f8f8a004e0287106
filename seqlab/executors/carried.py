"""A run as an engine carries it to another process or machine: a command that can be pickled, called and stopped."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.errors import LockedError
from seqlab.executors.executor import Ended
from seqlab.runs.lock import locked

if TYPE_CHECKING:  # torch, which a process that only waits for a run does not need
    from seqlab.executors.job import Job

PARENT = "{parent}"
"""A word of a command in whose place the number of the process stands that carries it."""

_POLL_SECONDS = 0.2
_SET_PARENT_DEATH_SIGNAL = 1  # of Linux' prctl
_STOPPED = (-signal.SIGTERM, 128 + signal.SIGTERM)
# a scheduler may signal every process of a job before it asks us to save: that must not end the run unsaved
_DEAF_TO_USR2 = ("sh", "-c", 'trap "" USR2; exec "$@"', "run")


@dataclass
class Marks:
    """Empty files by which the processes of one run tell each other what no engine tells: that it has started, that it
    shall end. path: what they begin with."""

    path: Path

    def is_set(self, name: str) -> bool:
        """Whether the mark is there."""
        return self.path.with_name(f"{self.path.name}.{name}").exists()

    def set(self, name: str) -> None:
        """Leave a mark."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.with_name(f"{self.path.name}.{name}").touch()

    def clear(self, name: str) -> None:
        """Remove a mark."""
        self.path.with_name(f"{self.path.name}.{name}").unlink(missing_ok=True)


def marks_of(job: Job, desk: Path) -> Marks:
    """The marks of a run in `desk`, a folder for those of all runs."""
    parts = job.folder.absolute().relative_to(desk.parent.absolute()).parts
    return Marks(desk.absolute() / "-".join(parts))


@dataclass
class Carried:
    """Makes a run in a process of its own, and says how that ended. It can be called again, anywhere: the run goes on.

    cwd: relative paths begin there. patience: seconds to wait, after a scheduler has told the run to stop, for what the
    scheduler does next. slots: where one of so many locks is held while it runs, for engines without a limit of their
    own.
    """

    command: list[str]
    cwd: Path
    marks: Marks
    patience: float = 0.0
    slots: tuple[Path, int] | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __call__(self) -> Ended:
        """Run it to its end."""
        with ExitStack() as held:
            self._take_slot(held)
            stderr = held.enter_context(tempfile.TemporaryFile())
            if self.marks.is_set("cancel"):
                return Ended(0, "", cancelled=True)
            started = time.monotonic()
            self.marks.set("started")
            self._process = subprocess.Popen(
                [*_DEAF_TO_USR2, *(str(os.getpid()) if word == PARENT else word for word in self.command)],
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
            cancelled = self._wait(self._process)
            if not cancelled and self._process.returncode in _STOPPED:
                self.marks.clear("started")  # it may wait in the queue next
                time.sleep(self.patience)
            stderr.seek(0)
            text = stderr.read().decode("utf-8", "replace")
            return Ended(self._process.returncode, text, time.monotonic() - started, None, cancelled)

    def checkpoint(self) -> object:
        """Have the run saved before this process ends; returns what continues it. submitit calls it, in a signal
        handler, when the time is up or the job is pre-empted, and puts the job back into the queue."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None:
            self._process.terminate()
            with suppress(ChildProcessError):  # it has ended
                # waits without Popen's lock, which the interrupted code may hold
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        self.marks.clear("started")
        return DelayedSubmission(Carried(self.command, self.cwd, self.marks, self.patience, self.slots))

    def _wait(self, process: subprocess.Popen[bytes]) -> bool:
        """Until it ends. Returns whether it was cancelled."""
        cancelled = False
        while True:
            try:
                while process.poll() is None:
                    time.sleep(_POLL_SECONDS)
                    if self.marks.is_set("cancel") and not cancelled:
                        cancelled = True
                        process.terminate()
                return cancelled
            except KeyboardInterrupt:  # how some engines cancel
                cancelled = True
                process.terminate()

    def _take_slot(self, held: ExitStack) -> None:
        """Hold one of the locks until the end of `held`, once one is free; none if there is no limit."""
        folder, count = self.slots or (Path(), 0)
        while self.slots is not None and not self.marks.is_set("cancel"):
            for index in range(count):
                with suppress(LockedError):
                    held.enter_context(locked(folder / f"slot-{index}"))
                    return
            time.sleep(_POLL_SECONDS)


def end_with_parent(number: int) -> None:
    """Have this process told to stop (SIGTERM) when its parent, which has this number, ends: the engine that has lost
    the parent, or its whole node, makes the run elsewhere. Only on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != number:  # it has ended already
            sys.exit(128 + signal.SIGTERM)
