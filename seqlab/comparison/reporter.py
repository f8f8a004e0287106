"""Who is told how a comparison goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seqlab.drawing.numbers import clock

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


class PlainReporter(Reporter):
    """Prints a plain line for each run that ends, as a notebook shows them: what verbose=True means."""

    def say(self, text: str) -> None:
        print(text, flush=True)

    def planned(self, plan: Plan, folder: Path) -> None:
        models = ", ".join(variant.label for variant in plan.variants)
        print(f"{models} on {plan.task}, seeds {', '.join(map(str, plan.seeds))}: {folder}", flush=True)

    @contextmanager
    def runs(self, jobs: Sequence[Job], plan: Plan, title: str) -> Iterator[Callable[[], None]]:
        told: set[int] = set()

        def look() -> None:
            for place, job in enumerate(jobs):
                if job.status in ("done", "failed") and job.seconds and place not in told:
                    told.add(place)
                    reason = f": {job.reason}" if job.reason else ""
                    what = job.what or f"seed {job.seed}"
                    print(f"{job.label}, {what}: {job.status}{reason} ({clock(job.seconds)})", flush=True)

        yield look


def reporter_of(verbose: bool, reporter: Reporter | None) -> Reporter:
    """The reporter that is given, or else the one that these words mean."""
    return reporter or (PlainReporter() if verbose else Reporter())
