"""The files for clusters where nothing may be installed, run by the shell that would run them there."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from seqlab.executors.run_jobs import LeftRunning, run_jobs
from seqlab.executors.script import ScriptExecutor
from seqlab.executors.settings import Settings
from tests.executors.quick import QuickJob, quick


def _written(jobs: list[QuickJob], desk: Path, at_once: int | None = None) -> tuple[Path, Path]:
    executor = ScriptExecutor(Settings(minutes=90, gpus=1, partition="long"), desk, at_once)
    with pytest.raises(LeftRunning, match="runs go on"):
        run_jobs(jobs, executor, watched=False)
    assert "2 runs are missing: `sbatch" in executor.whereabouts(2)
    assert executor.written is not None
    return executor.written


def test_the_list_makes_the_runs_and_what_is_missing_is_another_list(tmp_path: Path) -> None:
    jobs = quick(tmp_path / "with space", 3, 2, 0, "device.threads=2")
    array, commands = _written(jobs, tmp_path / "executor", 2)
    options = array.read_text().splitlines()
    for option in ("array=0-2%2", "time=90", "gpus-per-node=1", "cpus-per-task=2", "partition=long"):
        assert f"#SBATCH --{option}" in options
    one = commands.read_text().splitlines()[0]
    subprocess.run(["sh", "-c", one], check=True)
    assert (jobs[0].folder / "result.json").exists()
    again = _written(jobs, tmp_path / "executor")
    assert again[1].name == "jobs-2.txt"
    assert len(again[1].read_text().splitlines()) == 2
    assert len(commands.read_text().splitlines()) == 3  # an array that reads it may still be under way
    subprocess.run(["sh", str(commands)], check=True)
    assert all(len(job.starts()) == 1 for job in jobs)


def test_a_task_of_the_array_saves_and_is_put_back_when_its_time_is_up(tmp_path: Path) -> None:
    jobs = quick(tmp_path, 2, 10_000)
    array, _ = _written(jobs, tmp_path / "executor")
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/requeued\n')
    scontrol.chmod(0o755)
    path = f"{scontrol.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1"}
    for number, code in ((signal.SIGUSR1, 0), (signal.SIGTERM, 143)):
        with subprocess.Popen(["bash", str(array)], env=environment) as task:
            log, before = jobs[1].folder / "metrics.jsonl", jobs[1].step
            while not log.exists() or log.read_text().count("\n") < before + 2:
                assert task.poll() is None
                time.sleep(0.05)
            task.send_signal(number)
            assert task.wait(60) == code
        jobs[1].read_log()
    assert (tmp_path / "requeued").read_text() == "requeue 7_1\n"  # only where the time was up
    assert len(jobs[1].starts()) == 2
    assert [line["step"] for line in jobs[1].lines] == list(range(1, jobs[1].step + 1))
    assert not jobs[0].folder.exists()
