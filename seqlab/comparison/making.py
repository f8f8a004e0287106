"""Making the runs of a comparison: reported, timed, and left running where the user wants that."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from seqlab.comparison import background
from seqlab.comparison.plan import Plan
from seqlab.comparison.reporter import ComparisonReporter
from seqlab.comparison.times import record_time
from seqlab.errors import Interrupted
from seqlab.executors.execution import Execution
from seqlab.executors.executor import Executor
from seqlab.executors.job import Job
from seqlab.executors.run_jobs import LeftRunning, end_jobs, run_jobs


def make_runs(
    jobs: list[Job],
    plan: Plan,
    folder: Path,
    reporter: ComparisonReporter,
    executor: Executor,
    execution: Execution,
    title: str,
) -> int | None:
    """`carry` these runs, and show them meanwhile. title: of a search, else empty."""
    with reporter.runs(jobs, plan, title) as refresh:
        return carry(jobs, jobs, folder, executor, execution, refresh)


def carry(
    jobs: Sequence[Job],
    shown: Sequence[Job],
    folder: Path,
    executor: Executor,
    execution: Execution,
    on_poll: Callable[[], None],
) -> int | None:
    """Make the runs that have no result yet, and record their times. shown: those of which word is left for whoever
    follows. Returns the signal that asked to stop, if one came too late to stop any of them.

    Raises LeftRunning where runs go on that nobody watches any more."""
    told = background.teller(shown, folder, on_poll) if execution.background else on_poll
    watched = not execution.submit and executor.polled
    return run_jobs(jobs, executor, told, lambda job: record_time(job, folder), watched=watched)


def left_running(left: LeftRunning, executor: Executor, reporter: ComparisonReporter) -> str:
    """A sentence on runs that nobody watches any more, as was asked for.

    Raises Interrupted if a signal has asked to stop: the runs go on, or the user wants them stopped, which is done."""
    if left.signal == signal.SIGINT and not reporter.leave_running():
        reporter.say("the runs are told to save and end")
        end_jobs(left.jobs, executor)
        raise Interrupted("the runs were stopped", "the same command makes those that are missing", 128 + left.signal)
    if left.signal is not None:
        raise Interrupted("the runs go on", "the same command shows them again", 128 + left.signal)
    return executor.whereabouts(len(left.jobs))
