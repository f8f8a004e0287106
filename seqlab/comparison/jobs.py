"""One process a run: what happens to one cannot happen to the others, and its memory is its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from types import FrameType
from typing import Any, Literal

from seqlab.checkpoints.files import STATE
from seqlab.checkpoints.retention import checkpoints_in
from seqlab.config.sources import VARIABLE
from seqlab.core.files import discard, read_json
from seqlab.errors import CheckpointError, Interrupted, NumericError
from seqlab.runs.faults import on_stop
from seqlab.runs.folder import read_overrides, read_result
from seqlab.runs.lock import locked

Status = Literal["waiting", "running", "done", "failed"]
_POLL_SECONDS = 0.2


@dataclass
class Job:
    """One run to be made in `folder`. seconds: since it was started; lines: what it has logged so far;
    what: tells it apart from others of its label, the seed if nothing else does; divergence_is_final: that it diverged
    is an answer, and it is not made anew; promised: seconds that the plan expects of it, 0 for none; resumed: the last
    process went on with what was there; load: the machine's mean load average meanwhile."""

    label: str
    seed: int
    folder: Path
    overrides: tuple[str, ...]
    config_dir: Path | None
    status: Status = "waiting"
    reason: str = ""
    code: int = 0
    what: str = ""
    divergence_is_final: bool = False
    promised: float = 0.0
    resumed: bool = False
    load: float | None = None
    seconds: float = 0.0
    step: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)
    _read: int = 0
    _file: int = 0

    def command(self, *, resumed: bool) -> list[str]:
        """The `seqlab train` that makes the run, or the `seqlab resume` that goes on with it."""
        where = [] if self.config_dir is None else ["--config-dir", str(self.config_dir)]
        what = ["resume", str(self.folder)] if resumed else ["train", *self.words(), "--folder", str(self.folder)]
        # -P: a file of the user's folder that is called like a module of Python must not be taken for it
        # planning has checked the model once, for all its runs
        return [sys.executable, "-P", "-m", "seqlab", *what, "--quiet", "--checked", *where]

    def words(self) -> list[str]:
        """All its overrides."""
        return [*self.overrides, f"seed={self.seed}"]

    def is_made(self) -> bool:
        """Whether its result is there. Raises CheckpointError if it is that of other settings."""
        if read_result(self.folder) is None:
            return False
        self._check_same()
        return True

    def is_here(self) -> bool:
        """Whether a run of these settings has been started. Raises CheckpointError if it is one of other settings."""
        if not (self.folder / "config.yaml").is_file():
            return False
        self._check_same()
        return True

    def is_begun(self) -> bool:
        """Whether a run of these settings was stopped half-way and can go on. One that diverged is made anew: going on
        past the batch at which it ended would make another run of it."""
        return self.is_here() and not self._diverged()

    def has_ended(self) -> bool:
        """Whether there is nothing to make: its result is there, or it has diverged and that is final. Takes over
        what it came to."""
        if self.is_made():
            self.status = "done"
        elif self.divergence_is_final and self.is_here() and self._diverged():
            self.status, self.code, self.reason = "failed", NumericError.exit_code, "training diverged"
        return self.status in ("done", "failed")

    def _diverged(self) -> bool:
        """Whether its last step ended it, because a loss or gradient was not finite."""
        try:
            there = checkpoints_in(self.folder / "checkpoints")
            return bool(there and read_json(there[-1] / STATE)["progress"].get("failed"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False  # whether it can be read is for the run to say

    def _check_same(self) -> None:
        if read_overrides(self.folder) != self.words():
            raise CheckpointError(
                f"{self.folder} was made with other settings", "choose another --name, or move that folder away"
            )

    def forget(self) -> None:
        """What the run has logged, before it is started (again)."""
        self._file, self._read, self.lines, self.step = 0, 0, [], 0

    def look(self) -> None:
        """Take in what the run has logged since the last look."""
        try:
            with (self.folder / "metrics.jsonl").open("rb") as file:
                facts = os.fstat(file.fileno())
                if facts.st_ino != self._file or facts.st_size < self._read:  # a run that goes on cuts its log back
                    self._file, self._read, self.lines = facts.st_ino, 0, []
                file.seek(self._read)
                complete, newline, _ = file.read().rpartition(b"\n")
        except OSError:
            return
        self._read += len(complete) + len(newline)
        self.lines += [json.loads(line) for line in complete.splitlines()]
        self.step = self.lines[-1]["step"] if self.lines else 0


class Jobs:
    """Runs them one after the other. `watch` is called some times a second, `ended` after each process."""

    def __init__(
        self,
        jobs: Sequence[Job],
        watch: Callable[[], None],
        lock: int | None = None,
        ended: Callable[[Job], None] = lambda _: None,
    ) -> None:
        self.jobs, self.watch, self.lock, self.ended = jobs, watch, lock, ended
        self.process: subprocess.Popen[bytes] | None = None
        self.stop_signal: int | None = None

    def run(self) -> None:
        """Make every run whose result is not there. Raises Interrupted once the current one has saved and ended
        after Ctrl-C or SIGTERM."""
        for job in self.jobs:
            if job.has_ended():
                job.look()
        with on_stop(self._stop):
            for job in self.jobs:
                if job.status == "waiting" and self.stop_signal is None:
                    self._run(job)
                if self.stop_signal is not None and any(job.status == "waiting" for job in self.jobs):
                    done = sum(job.status == "done" for job in self.jobs)
                    raise Interrupted(f"stopped with {done} of {len(self.jobs)} runs made", "", 128 + self.stop_signal)

    def _run(self, job: Job) -> None:
        job.resumed = job.is_begun()
        if not job.resumed:
            _clear(job.folder)
        job.forget()
        job.status, started, loads = "running", time.monotonic(), list[float]()
        with tempfile.TemporaryFile() as said:
            self.process = subprocess.Popen(
                job.command(resumed=job.resumed),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                # the command names the folder, or there is none
                env={name: value for name, value in os.environ.items() if name != VARIABLE},
                # a session of its own: Ctrl-C reaches it through us, exactly once
                start_new_session=True,
                # while it lives the comparison stays locked, even if we were killed
                pass_fds=() if self.lock is None else (self.lock,),
            )
            if self.stop_signal is not None:  # it came before there was a process to pass it on to
                self.process.send_signal(self.stop_signal)
            try:
                while self.process.poll() is None:
                    job.seconds = time.monotonic() - started
                    loads += _load()
                    job.look()
                    self.watch()
                    time.sleep(_POLL_SECONDS)
            except BaseException:
                self.process.kill()
                self.process.wait()
                raise
            job.seconds = time.monotonic() - started
            job.load = fmean(loads) if loads else None
            job.look()
            said.seek(0)
            text = said.read().decode("utf-8", "replace")
        code = self.process.returncode
        if read_result(job.folder) is not None:
            job.status = "done"
        elif self.stop_signal is not None:
            job.status = "waiting"
        else:
            job.status, job.reason, job.code = "failed", _reason(code, text), code
        self.process = None
        self.ended(job)
        self.watch()

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


def _load() -> list[float]:
    """The machine's load average; nothing where nobody knows it."""
    try:
        return [os.getloadavg()[0]]
    except (OSError, AttributeError):  # Windows
        return []


def _reason(code: int, text: str) -> str:
    """Why a run failed, in one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = next((index for index, line in enumerate(lines) if line.startswith("error: ")), None)
    if said is not None:
        return "; ".join(lines[said : said + 2]).removeprefix("error: ")
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return f"killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
    return lines[-1] if lines else f"exit code {code}"
