"""Who is told how a comparison goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from seqlab.comparison.jobs import Job
    from seqlab.comparison.plan import Plan


class Reporter:
    """Says nothing. The command line has another (cli/comparison_display.py)."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def planned(self, plan: Plan, folder: Path) -> None:
        """What will be run, on what, how long it takes, and where it goes."""

    @contextmanager
    def runs(self, jobs: Sequence[Job], plan: Plan, title: str) -> Iterator[Callable[[], None]]:
        """While runs are made: what to call after each look at them. title: of a search, or nothing."""
        yield lambda: None
