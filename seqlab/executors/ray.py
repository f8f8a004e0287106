"""Runs as tasks of a Ray cluster: an existing one, or one on this machine."""

from __future__ import annotations

import logging
import os
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from seqlab.errors import ConfigError, ResourceError
from seqlab.executors.carried import Carried, Marks, marks_of
from seqlab.executors.executor import Ended, Executor, State
from seqlab.executors.job import Job
from seqlab.executors.places import gpus_of, threads_of
from seqlab.executors.settings import Settings


class RayExecutor(Executor):
    """Makes each run as one task, with the cores and GPUs that it needs, `at_once` of them at a time, or as many as the
    cluster has room for. A run whose worker or node is lost goes on elsewhere from its last checkpoint.

    desk: a folder that all machines see, for the marks of runs. Tasks end with the process that has submitted them.
    """

    def __init__(self, settings: Settings, desk: Path, at_once: int | None = None) -> None:
        self.settings, self.desk, self.at_once = settings, desk, at_once
        self._ray = _imported()
        self._waiting: deque[Job] = deque()
        self._tasks: dict[Path, tuple[Any, Marks]] = {}
        self._dropped: list[Path] = []
        self._connected = False

    def submit(self, jobs: Sequence[Job]) -> None:
        if jobs:
            self._connect()
        self._waiting.extend(jobs)

    def _connect(self) -> None:
        if self._connected:
            return
        address = None if self.settings.address == "local" else self.settings.address
        if address is None:  # Ray lets its workers give way to everything else, which runs should not
            os.environ.setdefault("RAY_worker_niceness", "0")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about what Ray will change in later versions
                self._ray.init(
                    address=address or "local",
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    **({} if address else {"include_dashboard": False}),
                )
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ResourceError(
                f"executor.address={self.settings.address}: {reason}",
                "start a cluster with `ray start --head`, or leave the setting out: one is started here",
            ) from error
        self._connected = True

    def poll(self) -> Mapping[Path, State]:
        while self._waiting and (self.at_once is None or len(self._tasks) < self.at_once):
            self._start(self._waiting.popleft())
        ended: dict[Path, State] = {folder: Ended(0, "", cancelled=True) for folder in self._dropped}
        self._dropped = []
        tasks = {task: folder for folder, (task, _) in self._tasks.items()}
        ready, _ = self._ray.wait(list(tasks), num_returns=len(tasks), timeout=0) if tasks else ((), ())
        for task in ready:
            folder = tasks[task]
            ended[folder] = self._ended(task, self._tasks.pop(folder)[1])
        going: dict[Path, State] = {
            folder: "running" if marks.is_set("started") else "waiting" for folder, (_, marks) in self._tasks.items()
        }
        waiting: dict[Path, State] = {job.folder: "waiting" for job in self._waiting}
        return {**waiting, **going, **ended}

    def _start(self, job: Job) -> None:
        marks = marks_of(job, self.desk)
        for name in ("cancel", "started"):
            marks.clear(name)
        wanted = self.settings
        memory = {} if wanted.memory is None else {"memory": int(wanted.memory * 1e9)}
        task = self._ray.remote(Carried.__call__).options(
            name=job.name,
            num_cpus=wanted.cpus or threads_of(job.overrides) or 1,
            num_gpus=wanted.gpus if wanted.gpus is not None else gpus_of(job.overrides),
            max_retries=-1,  # of lost workers and nodes; a run that fails is a result like another
            **memory,
        )
        carried = Carried(job.command("--with-parent"), Path.cwd(), marks)
        self._tasks[job.folder] = (task.remote(carried), marks)

    def _ended(self, task: Any, marks: Marks) -> Ended:
        cancelled = marks.is_set("cancel")
        try:
            ended = self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            return Ended(1, f"error: {str(error).strip().splitlines()[-1]}", cancelled=cancelled)
        assert isinstance(ended, Ended)
        return ended

    def cancel(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if job.folder in self._tasks:
                task, marks = self._tasks[job.folder]
                marks.set("cancel")
                if not marks.is_set("started"):
                    self._ray.cancel(task)
        for job in [job for job in self._waiting if job in jobs]:
            self._waiting.remove(job)
            self._dropped.append(job.folder)

    def close(self) -> None:
        self._waiting.clear()
        self._tasks.clear()
        if self._connected:
            with suppress(Exception):  # a cluster that is gone
                self._ray.shutdown()
            self._connected = False


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--executor ray needs Ray", "pip install 'seqlab[ray]'") from error
    return ray
