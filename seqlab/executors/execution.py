"""Who makes the runs, and how many at a time: what --executor, --jobs and --submit say. None of it changes a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from seqlab.config.suggest import did_you_mean
from seqlab.errors import ConfigError
from seqlab.executors.executor import Executor
from seqlab.executors.settings import NAMES, PREFIX, Name, Settings, read_settings, split_settings


@dataclass(frozen=True)
class Execution:
    """How a list of runs is made.

    jobs: how many at a time; None: one on this machine, elsewhere as many as there is room for. submit: do not watch
    them. background: this process is the one that such a command has left behind. words: the settings as they were
    given.
    """

    jobs: int | None = None
    name: Name = "local"
    settings: Settings = field(default_factory=Settings)
    submit: bool = False
    background: bool = False
    words: tuple[str, ...] = ()

    @property
    def needs_process(self) -> bool:
        """Whether a process of this machine must live as long as the runs."""
        return self.name in ("local", "ray")

    @property
    def is_elsewhere(self) -> bool:
        """Whether the runs may start on other machines."""
        return self.name != "local"

    @property
    def is_watched(self) -> bool:
        """Whether some process sees how far the runs are, and can end them early."""
        return self.name != "script" and (self.needs_process or not self.submit)

    def executor(self, folder: Path, lock: int | None = None) -> Executor:
        """The executor for runs in `folder` and below. lock: of that folder, which runs on this machine inherit.

        Raises ConfigError where a package is missing."""
        desk = folder / "executor"
        if self.name == "slurm":
            from seqlab.executors.slurm import SlurmExecutor

            return SlurmExecutor(self.settings, desk, self.jobs)
        if self.name == "ray":
            from seqlab.executors.ray import RayExecutor

            return RayExecutor(self.settings, desk, self.jobs)
        if self.name == "script":
            from seqlab.executors.script import ScriptExecutor

            return ScriptExecutor(self.settings, desk, self.jobs)
        from seqlab.executors.local import LocalExecutor

        return LocalExecutor(self.jobs or 1, lock)

    def options(self) -> list[str]:
        """The words of a command that say the same, without --submit."""
        count = [] if self.jobs is None else ["--jobs", str(self.jobs)]
        return [*self.words, "--executor", self.name, *count]


def read_execution(
    words: Iterable[str],
    executor: str | Execution = "local",
    jobs: int | None = None,
    *,
    submit: bool = False,
    background: bool = False,
) -> tuple[list[str], Execution]:
    """(the words without the settings of the executor, the execution). executor: its name; or all of it, already read.

    Raises ConfigError for an executor or a setting that does not exist, and for a value that cannot be."""
    if isinstance(executor, Execution):
        return list(words), executor
    others, given = split_settings(words)
    name = next((known for known in NAMES if known == executor), None)
    if name is None:
        raise ConfigError(
            f"there is no executor called '{executor}'", did_you_mean(executor, NAMES), f"executors: {', '.join(NAMES)}"
        )
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs {jobs}: one run at a time at least")
    settings = read_settings(name, given)
    kept = tuple(f"{PREFIX}{key}={value}" for key, value in given.items())
    return others, Execution(jobs, name, settings, submit, background, kept)
