"""Who makes the runs, and how many at a time: what `--executor` and `--jobs` say. None of it changes a run."""

from __future__ import annotations

from dataclasses import dataclass

from seqlab.errors import ConfigError
from seqlab.executors.executor import Executor


@dataclass(frozen=True)
class Execution:
    """How a list of runs is made. jobs: how many at a time."""

    jobs: int = 1

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ConfigError(f"--jobs {self.jobs}: one run at a time at least")

    def executor(self, lock: int | None) -> Executor:
        """The executor. lock: of the folder that all runs belong to, which runs on this machine inherit."""
        from seqlab.executors.local import LocalExecutor

        return LocalExecutor(self.jobs, lock)
