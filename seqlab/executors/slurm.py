"""Runs as jobs of Slurm, submitted and followed by submitit; or, to try it, by submitit's executor for one machine."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from seqlab.core.files import write_json
from seqlab.errors import ConfigError, ResourceError
from seqlab.executors.carried import PARENT, Carried, Marks, marks_of
from seqlab.executors.executor import Ended, Executor, State
from seqlab.executors.job import Job
from seqlab.executors.places import gpus_of, threads_of
from seqlab.executors.queue import Queue
from seqlab.executors.settings import Settings

_YEAR = 365 * 1440  # minutes
_REQUEUES = 1000
_SAVE_SECONDS = 120  # before the time is up
# submitit takes these for ends: of a job that lives, or that may be in the queue again
_MAY_GO_ON = ("SUSPENDED", "CONFIGURING", "RESIZING", "NODE_FAIL")
_PATIENCE_SECONDS = 600.0  # a job that was told to stop is killed or put back into the queue within that time


class SlurmExecutor(Executor):
    """Submits all runs at once, as a job array, `at_once` of them at a time. A run whose time is up, or that is
    pre-empted, saves and is put back into the queue.

    desk: a folder that all machines see, for submitit's files, the marks of runs, and the numbers of their jobs, by
    which a later process finds them again.
    """

    detached = True
    poll_seconds: ClassVar[float] = 1.0

    def __init__(self, settings: Settings, desk: Path, at_once: int | None = None) -> None:
        self.settings, self.desk, self.at_once = settings, desk, at_once
        self._jobs: dict[Path, tuple[Any, Marks]] = {}
        self._submitit = _imported()
        self._queue = Queue()

    def submit(self, jobs: Sequence[Job]) -> None:
        numbers = self._numbers()
        fresh: list[Job] = []
        for job in jobs:
            marks = marks_of(job, self.desk)
            old = self._job(numbers[marks.path.name]) if marks.path.name in numbers else None
            if old is not None and marks.is_set("cancel"):
                self._let_end(old, marks)
                old = None
            if old is not None and self._goes_on(old):
                self._jobs[job.folder] = (old, marks)
            else:
                fresh.append(job)
        for alike in _by_needs(fresh):
            self._submit(alike, numbers)

    def _submit(self, jobs: Sequence[Job], numbers: dict[str, str]) -> None:
        """Submit runs that need the same cores and GPUs."""
        executor = self._executor(jobs[0], len(jobs))
        carried = [self._carried(job) for job in jobs]
        try:
            with _deaf_to_ctrl_c():
                submitted = executor.submit_array(carried)
        except (OSError, RuntimeError) as error:  # what sbatch says
            said = [line for line in str(error).splitlines() if "error" in line] or str(error).splitlines()
            raise ResourceError(
                f"--executor slurm: {said[-1].strip()}" if said else "--executor slurm: sbatch failed",
                "runs that were submitted before go on; the same command submits the others",
            ) from error
        self._queue = Queue()
        for job, one, there in zip(jobs, carried, submitted, strict=True):
            self._jobs[job.folder] = (there, one.marks)
            numbers[one.marks.path.name] = there.job_id
        write_json(self.desk / "jobs.json", numbers)

    def _carried(self, job: Job) -> Carried:
        marks = marks_of(job, self.desk)
        for name in ("cancel", "started"):
            marks.clear(name)
        local = self.settings.cluster == "local"
        slots = (self.desk.absolute() / "slots", self.at_once or 1) if local else None
        patience = 0.0 if local else _PATIENCE_SECONDS
        return Carried(job.command("--with-parent", PARENT), Path.cwd(), marks, patience, slots)

    def _executor(self, job: Job, count: int) -> Any:
        """submitit's executor for runs like this one."""
        wanted = self.settings
        try:
            executor = self._submitit.AutoExecutor(
                folder=str(self.desk.absolute() / "submitit"), cluster=wanted.cluster, slurm_max_num_timeout=_REQUEUES
            )
        except (RuntimeError, ValueError) as error:
            raise ResourceError(
                f"--executor slurm: {error}", "run it where sbatch works, or try it here: executor.cluster=local"
            ) from error
        gpus = wanted.gpus if wanted.gpus is not None else gpus_of(job.overrides)
        executor.update_parameters(
            timeout_min=wanted.minutes or (60 if wanted.cluster == "slurm" else _YEAR),
            gpus_per_node=gpus,
            cpus_per_task=wanted.cpus or threads_of(job.overrides) or 1,
            **({"mem_gb": wanted.memory} if wanted.memory is not None else {}),
            slurm_array_parallelism=self.at_once or count,
            slurm_job_name="seqlab",
            slurm_signal_delay_s=_SAVE_SECONDS,
            **{
                f"slurm_{key}": value
                for key in ("partition", "account", "qos", "constraint")
                if (value := getattr(wanted, key)) is not None
            },
        )
        return executor

    def poll(self) -> Mapping[Path, State]:
        states: dict[Path, State] = {}
        for folder, (job, marks) in list(self._jobs.items()):
            if self._goes_on(job):
                states[folder] = "running" if marks.is_set("started") else "waiting"
            else:
                states[folder] = _ended(job, marks)
                del self._jobs[folder]
        return states

    def cancel(self, jobs: Sequence[Job]) -> None:
        self._queue = Queue()  # a job that has begun since may save
        for job, marks in (self._jobs[job.folder] for job in jobs if job.folder in self._jobs):
            marks.set("cancel")
            self._cancel_waiting(job, marks)

    def _cancel_waiting(self, job: Any, marks: Marks) -> None:
        """Take a job out of Slurm's queue. One that runs ends by its mark; the mark of its start outlives its node."""
        if self.settings.cluster == "slurm" and (not marks.is_set("started") or self._queue.is_waiting(job.job_id)):
            job.cancel(check=False)

    def whereabouts(self, count: int) -> str:
        numbers = sorted({str(job.job_id).partition("_")[0] for job, _ in self._jobs.values()})
        shown = ", ".join(numbers[:5]) + (" and more" if len(numbers) > 5 else "")
        return f"{count} runs are submitted (job {shown}); the same command without --submit shows them"

    def close(self) -> None:
        self._jobs.clear()

    def _goes_on(self, job: Any) -> bool:
        """Whether a job waits or runs."""
        if self.settings.cluster == "local":
            return _is_alive(job)
        if job.done():
            state = str(job.state).upper()
            if job.paths.result_pickle.exists() or state not in _MAY_GO_ON:
                return False
            job.watcher._finished.discard(job.job_id)  # or accounting is never asked again
            return self._queue.has(job.job_id) if state == "NODE_FAIL" else not self._queue.has_left(job.job_id)
        # accounting may be off, or have forgotten it; and a job that was pre-empted may be over, or be in the queue
        return str(job.state).upper() not in ("UNKNOWN", "PREEMPTED") or not self._queue.has_left(job.job_id)

    def _let_end(self, job: Any, marks: Marks) -> None:
        """Wait for a job that an earlier process told to end, for as long as a run may take to save.

        Raises ResourceError if it has not ended then: two jobs would make one run."""
        self._cancel_waiting(job, marks)
        last = time.monotonic() + _SAVE_SECONDS
        while self._goes_on(job):
            if time.monotonic() > last:
                raise ResourceError(
                    f"job {job.job_id} was told to end and has not yet", f"wait, or `scancel {job.job_id}`"
                )
            time.sleep(self.poll_seconds)

    def _numbers(self) -> dict[str, str]:
        """The numbers of the jobs that earlier processes submitted."""
        with suppress(OSError, ValueError, AttributeError):
            return dict(json.loads((self.desk / "jobs.json").read_text(encoding="utf-8")).items())
        return {}

    def _job(self, number: str) -> Any:
        kind = self._submitit.SlurmJob if self.settings.cluster == "slurm" else self._submitit.LocalJob
        return kind(folder=str(self.desk.absolute() / "submitit"), job_id=number)


def _imported() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise ConfigError("--executor slurm needs submitit", "pip install 'seqlab[slurm]'") from error
    # it warns on stdout too, where results alone belong, and of each time that accounting does not answer
    logging.getLogger("submitit").setLevel(logging.CRITICAL)
    return submitit


def _by_needs(jobs: Sequence[Job]) -> list[list[Job]]:
    """The runs in groups that need the same."""
    found: dict[tuple[int | None, int], list[Job]] = {}
    for job in jobs:
        found.setdefault((threads_of(job.overrides), gpus_of(job.overrides)), []).append(job)
    return list(found.values())


def _is_alive(job: Any) -> bool:
    """Whether a job of submitit's local executor runs."""
    if job._process is not None:
        return bool(job._process.poll() is None)
    with suppress(OSError):  # started by another process
        return os.fsencode(job.paths.folder) in Path(f"/proc/{job.job_id}/cmdline").read_bytes()
    return False


def _ended(job: Any, marks: Marks) -> Ended:
    """What became of a job."""
    if job.paths.result_pickle.exists():
        outcome, result = job._get_outcome_and_result()
        if outcome == "success" and isinstance(result, Ended):
            return result
        what = str(result).strip().splitlines()[-1]
    else:
        what = f"its job {job.job_id} ended without a result ({str(job.state).capitalize()})"
    return Ended(1, f"error: {what}; see {job.paths.stderr}", cancelled=marks.is_set("cancel"))


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Ctrl-C, which reaches all processes that a terminal has started, must not end what is submitted meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
