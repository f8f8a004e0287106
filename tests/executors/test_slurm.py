"""Slurm by submitit, on this machine: what is left running is found again, and a job whose time is up goes on later."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from seqlab.executors.run_jobs import LeftRunning, end_jobs, run_jobs
from seqlab.executors.settings import Settings
from seqlab.executors.slurm import SlurmExecutor
from tests.executors.quick import quick

pytest.importorskip("submitit")
LOCAL = Settings(cluster="local")


def test_what_is_left_running_is_found_again_and_can_be_stopped(tmp_path: Path) -> None:
    jobs = quick(tmp_path, 2, 60)
    first, second = (SlurmExecutor(LOCAL, tmp_path / "executor", 2) for _ in range(2))

    def interrupt() -> None:
        if jobs[0].step > 1:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(LeftRunning) as left:
        run_jobs(jobs, first, interrupt)
    assert left.value.signal == signal.SIGINT
    assert "runs are submitted (job " in first.whereabouts(2)
    again = quick(tmp_path, 2, 60)
    with pytest.raises(LeftRunning):
        run_jobs(again, second, watched=False)
    end_jobs(again[1:], second)
    run_jobs(again[:1], second)
    assert again[0].status == "done"
    assert [len(job.starts()) for job in again] == [1, 1]  # the second executor started nothing
    assert not (again[1].folder / "result.json").exists()
    while first.poll():  # until the processes that it has started have ended
        time.sleep(0.1)


def test_a_job_whose_time_is_up_saves_and_goes_on_from_the_queue(tmp_path: Path) -> None:
    (job,) = quick(tmp_path, 1, 40)
    signalled: list[int] = []

    def time_is_up() -> None:
        if job.step >= 3 and not signalled:
            run = int(job.starts()[0][0])
            parent = int(Path(f"/proc/{run}/stat").read_text().rpartition(")")[2].split()[1])
            signalled.append(run)
            os.kill(run, signal.SIGUSR2)  # a scheduler may signal every process
            os.kill(parent, signal.SIGUSR2)

    run_jobs([job], SlurmExecutor(LOCAL, tmp_path / "executor"), time_is_up)
    assert job.status == "done"
    assert len(job.starts()) == 2
    assert [line["step"] for line in job.lines] == list(range(1, 41))
