"""The one interface through which runs are made, wherever that is: submit, poll, cancel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

if TYPE_CHECKING:  # see carried.py
    from seqlab.executors.job import Job


@dataclass(frozen=True)
class Ended:
    """A process that has ended. code: its exit code, negative for a signal. stderr: what it wrote there. seconds: how
    long it ran. load: the machine's mean load average during that time, where it is known. cancelled: somebody asked
    for its end."""

    code: int
    stderr: str
    seconds: float = 0.0
    load: float | None = None
    cancelled: bool = False


State = Literal["waiting", "running"] | Ended


class Executor(ABC):
    """Makes runs, each in a process of its own. It says whether a process has ended; whether a run is done stands in
    the run's folder and nowhere else.

    detached: what was submitted goes on when this process ends. polled: whether it can say how far its runs are.
    """

    detached: ClassVar[bool] = False
    polled: ClassVar[bool] = True
    poll_seconds: ClassVar[float] = 0.2

    @abstractmethod
    def submit(self, jobs: Sequence[Job]) -> None:
        """Have these runs made, as many at a time as there is room for. One that an earlier process submitted, and that
        is still under way, is not submitted again."""

    @abstractmethod
    def poll(self) -> Mapping[Path, State]:
        """The state of each run that was submitted, by its folder. An end is reported once."""

    @abstractmethod
    def cancel(self, jobs: Sequence[Job]) -> None:
        """Ask these runs to save and end, and forget those that have not begun. Returns at once: `poll` reports the
        ends. A run that has ended is left alone."""

    def whereabouts(self, count: int) -> str:
        """A sentence on where so many runs, which nobody watches any more, are, and what comes next."""
        return f"{count} runs go on; the same command shows them"

    @abstractmethod
    def close(self) -> None:
        """Release what this process holds: runs that are not detached end at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
