"""How progress of a comparison is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seqlab.drawing.numbers import clock
from seqlab.runs.reporter import PlainReporter, Reporter

if TYPE_CHECKING:
    from pathlib import Path

    from seqlab.comparison.plan import Plan
    from seqlab.executors.job import Job


class ComparisonReporter(Reporter):
    """Reports warnings only, as a run's reporter does. The command line has its own (cli/comparison_display.py)."""

    def planned(self, plan: Plan, folder: Path) -> None:
        """Report the plan and the comparison's folder, before the first run."""

    @contextmanager
    def runs(self, jobs: Sequence[Job], plan: Plan, title: str) -> Iterator[Callable[[], None]]:
        """A context for the time of these runs; yields a function that is called several times a second. title: of a
        search, else empty."""
        yield lambda: None

    def leave_running(self) -> bool:
        """Whether runs that go on without this process shall do so after Ctrl-C, or be stopped."""
        return True


def newly_ended(jobs: Sequence[Job], reported: set[int]) -> Iterator[Job]:
    """The jobs that have run and ended and are not in `reported`, by index, where they stand from then on."""
    for index, job in enumerate(jobs):
        if job.status in ("done", "failed", "cancelled") and job.seconds and index not in reported:
            reported.add(index)
            yield job


class PlainComparisonReporter(PlainReporter, ComparisonReporter):
    """Prints a plain line for each run that ends, for verbose=True and notebooks."""

    def planned(self, plan: Plan, folder: Path) -> None:
        models = ", ".join(variant.label for variant in plan.variants)
        self.say(f"{models} on {plan.task}, seeds {', '.join(map(str, plan.seeds))}: {folder}")

    @contextmanager
    def runs(self, jobs: Sequence[Job], plan: Plan, title: str) -> Iterator[Callable[[], None]]:
        reported: set[int] = set()

        def refresh() -> None:
            for job in newly_ended(jobs, reported):
                reason = f": {job.reason}" if job.reason else ""
                self.say(f"{job.name}: {job.status}{reason} ({clock(job.seconds)})")

        yield refresh


def reporter_of(verbose: bool, reporter: ComparisonReporter | None) -> ComparisonReporter:
    """The given reporter, or the one that `verbose` stands for."""
    return reporter or (PlainComparisonReporter() if verbose else ComparisonReporter())
