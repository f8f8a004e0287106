"""What tests/executors/test_terminal.py runs on a terminal: FOLDER. Runs that go on without it, watched twice."""

import sys
from pathlib import Path

from seqlab.cli.app import terminal
from seqlab.cli.comparison_display import TerminalReporter
from seqlab.comparison.making import left_running
from seqlab.errors import Interrupted
from seqlab.executors.run_jobs import LeftRunning, run_jobs
from seqlab.executors.settings import Settings
from seqlab.executors.slurm import SlurmExecutor
from tests.executors.quick import quick


def main() -> None:
    """Watch until Ctrl-C, say what the user wanted, and once more."""
    root = Path(sys.argv[1])
    for _ in range(2):
        (job,) = jobs = quick(root, 1, 10_000)
        executor = SlurmExecutor(Settings(cluster="local"), root / "executor")
        told: list[int] = []

        def tell() -> None:
            if job.step > 1 and not told:  # noqa: B023 (called in this turn alone)
                told.append(job.step)  # noqa: B023
                print("WATCHING", flush=True)

        try:
            run_jobs(jobs, executor, tell)
        except LeftRunning as left:
            try:
                left_running(left, executor, TerminalReporter(terminal(stderr=True)))
            except Interrupted as stopped:
                print(f"SAID {stopped.what}, {stopped.exit_code}", flush=True)


main()
