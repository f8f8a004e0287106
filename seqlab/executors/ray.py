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
from seqlab.executors.carried import PARENT, Carried, Marks, marks_of
from seqlab.executors.executor import Ended, Executor, State
from seqlab.executors.job import Job
from seqlab.executors.places import gpus_of, threads_of
from seqlab.executors.settings import Settings

_log = logging.getLogger("seqlab")


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
            self._check_room(jobs)
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
        # it prints what it hears of lost nodes on stdout, where results alone belong
        worker = getattr(self._ray, "_private", None)
        if hasattr(getattr(worker, "worker", None), "print_to_stdstream"):
            self._ray._private.worker.print_to_stdstream = _log_first_line

    def _check_room(self, jobs: Sequence[Job]) -> None:
        """Ray lets a task wait for ever for a node that is large enough. Raises ResourceError if there will be none;
        a cluster that was there before may yet grow."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        for needs in {tuple(self._needs(job).items()) for job in jobs}:
            if not any(all(node.get(name, 0) >= count for name, count in needs) for node in nodes):
                wanted = ", ".join(f"{name} {count:,}" for name, count in needs if count)
                what, hint = (
                    f"no node of the Ray cluster has what a run needs: {wanted}",
                    "see executor.cpus, executor.gpus",
                )
                if self.settings.address == "local":
                    raise ResourceError(what, f"{hint}, and device.threads of the runs")
                _log.warning("%s; it waits for one (%s)", what, hint)

    def _needs(self, job: Job) -> dict[str, int]:
        """What one run takes of a node, by Ray's names."""
        wanted = self.settings
        return {
            "CPU": wanted.cpus or threads_of(job.overrides) or 1,
            "GPU": wanted.gpus if wanted.gpus is not None else gpus_of(job.overrides),
            "memory": int((wanted.memory or 0) * 1e9),
        }

    def poll(self) -> Mapping[Path, State]:
        while self._waiting and (self.at_once is None or len(self._tasks) < self.at_once):
            self._start(self._waiting.popleft())
        ended: dict[Path, State] = {folder: Ended(0, "", cancelled=True) for folder in self._dropped}
        self._dropped = []
        tasks = {task: folder for folder, (task, _) in self._tasks.items()}
        try:
            ready, _ = self._ray.wait(list(tasks), num_returns=len(tasks), timeout=0) if tasks else ((), ())
        except self._ray.exceptions.RayError as error:
            raise ResourceError(
                f"the Ray cluster is gone: {str(error).strip().splitlines()[0]}",
                "its runs save and end; the same command goes on with them",
            ) from error
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
        needs = self._needs(job)
        task = self._ray.remote(Carried.__call__).options(
            name=job.name,
            num_cpus=needs["CPU"],
            num_gpus=needs["GPU"],
            memory=needs["memory"] or None,
            max_retries=-1,  # of lost workers and nodes; a run that fails is a result like another
        )
        carried = Carried(job.command("--with-parent", PARENT), Path.cwd(), marks)
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
                # a run that has started ends by its mark; asked again, it may be one that waits since its node was lost
                if not marks.is_set("started") or marks.is_set("cancel"):
                    self._ray.cancel(task)
                marks.set("cancel")
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


def _log_first_line(data: Mapping[str, Any], ignore_prefix: bool) -> None:  # noqa: ARG001 (Ray gives it)
    """In place of Ray's function that prints such messages."""
    for text in data["lines"]:
        _log.warning("Ray: %s", str(text).strip().partition("\n")[0][:200])


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--executor ray needs Ray", "pip install 'seqlab[ray]'") from error
    return ray
