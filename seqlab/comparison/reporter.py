"""Who is told how a comparison goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seqlab.drawing.numbers import clock
from seqlab.errors import printable
from seqlab.runs.reporter import Reporter

if TYPE_CHECKING:
    from pathlib import Path

    from seqlab.comparison.job import Job
    from seqlab.comparison.plan import Plan


class ComparisonReporter(Reporter):
    """A run's reporter that is also told of plans and of several runs; this one ignores them. The command line has
    another (cli/comparison_display.py)."""

    def planned(self, plan: Plan, folder: Path) -> None:
        """Called before the first run with the plan and the comparison's folder."""

    @contextmanager
    def runs(self, jobs: Sequence[Job], plan: Plan, title: str) -> Iterator[Callable[[], None]]:
        """Around the making of runs; yields what is called some times a second. title: of a search, else empty."""
        yield lambda: None


class PlainComparisonReporter(ComparisonReporter):
    """Prints a plain line for each run that ends, as a notebook shows them: what verbose=True means."""

    def say(self, text: str) -> None:
        print(printable(text), flush=True)

    def planned(self, plan: Plan, folder: Path) -> None:
        models = ", ".join(variant.label for variant in plan.variants)
        self.say(f"{models} on {plan.task}, seeds {', '.join(map(str, plan.seeds))}: {folder}")

    @contextmanager
    def runs(self, jobs: Sequence[Job], plan: Plan, title: str) -> Iterator[Callable[[], None]]:
        reported: set[int] = set()

        def refresh() -> None:
            for place, job in enumerate(jobs):
                if job.status in ("done", "failed") and job.seconds and place not in reported:
                    reported.add(place)
                    reason = f": {job.reason}" if job.reason else ""
                    self.say(f"{job.name}: {job.status}{reason} ({clock(job.seconds)})")

        yield refresh


def reporter_of(verbose: bool, reporter: ComparisonReporter | None) -> ComparisonReporter:
    """The reporter that is given, or else one that prints or says nothing."""
    return reporter or (PlainComparisonReporter() if verbose else ComparisonReporter())
