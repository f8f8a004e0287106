"""Making the runs of a comparison: reported, timed, and left running where the user wants that."""

from __future__ import annotations

import signal
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
    """Make the runs that have no result yet. Returns the signal that asked to stop, if one came too late to stop any of
    them. Raises LeftRunning where runs go on that nobody watches any more."""
    try:
        with reporter.runs(jobs, plan, title) as refresh:
            told = background.teller(jobs, folder, refresh) if execution.background else refresh
            watched = not execution.submit and executor.polled
            return run_jobs(jobs, executor, told, lambda job: record_time(job, folder), watched=watched)
    except LeftRunning as left:
        if left.signal != signal.SIGINT or reporter.leave_running():
            raise
        reporter.say("the runs are told to save and end")
        end_jobs(left.jobs, executor)
        raise Interrupted("the runs were stopped", "", 128 + left.signal) from None
