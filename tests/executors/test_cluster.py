"""Slurm, by programs that stand in for its own: real arrays of real processes, and what can go wrong with them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from seqlab.errors import Interrupted, ResourceError
from seqlab.executors.carried import Marks, marks_of
from seqlab.executors.executor import Ended, State
from seqlab.executors.local import LocalExecutor
from seqlab.executors.run_jobs import LeftRunning, end_jobs, run_jobs
from seqlab.executors.settings import Settings
from seqlab.executors.slurm import SlurmExecutor
from tests.executors.quick import QuickJob, quick

submitit = pytest.importorskip("submitit")
# starts each task of an array, and keeps its process in tasks/ under its number
_SBATCH = """
case $(cat {root}/says 2>/dev/null) in ?*) cat {root}/says >&2; exit 1;; esac
last=$(sed -n 's/#SBATCH --array=0-\\([0-9]*\\)%.*/\\1/p' "$1")
for index in $(seq 0 ${{last:-0}}); do
  export SLURM_JOB_ID=7$index SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1
  [ -n "$last" ] && export SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$index
  setsid bash "$1" > /dev/null 2>&1 < /dev/null &
  echo $! > {root}/tasks/7_$index
done
echo Submitted batch job 7
"""
_SRUN = """
while case $1 in --unbuffered) true;; --output|--error) shift;; *) false;; esac; do shift; done
exec "$@"
"""
_SQUEUE = """
state=$(cat {root}/queue || echo RUNNING)
for task in {root}/tasks/*; do kill -0 $(cat $task) && echo $(basename $task) $state; done 2>/dev/null; true
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the programs. Accounting is switched off, as it is by default."""
    programs = {"sbatch": _SBATCH, "srun": _SRUN, "squeue": _SQUEUE}
    programs |= {"sacct": "cat {root}/accounting 2>/dev/null", "scancel": "rm {root}/tasks/$1"}
    root = tmp_path / "cluster"
    (root / "tasks").mkdir(parents=True)
    for name, text in programs.items():
        (root / name).write_text(f"#!/bin/bash\n{text.format(root=root) if '{root}' in text else text}")
        (root / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{root}:{os.environ['PATH']}")
    monkeypatch.setattr("seqlab.executors.queue._SECONDS", 0.5)
    submitit.SlurmJob.watcher.clear()  # all jobs of all tests are called 7
    return root


def test_an_array_is_made_and_a_lost_task_is_told_with_its_log(
    cluster: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    jobs = quick(tmp_path, 2, 4)
    jobs[1].steps = 4000
    killed: list[int] = []

    def lose_a_node() -> None:
        if jobs[1].step > 1 and not killed:
            killed.append(int((cluster / "tasks" / "7_1").read_text()))
            os.killpg(killed[0], signal.SIGKILL)

    run_jobs(jobs, SlurmExecutor(Settings(), tmp_path / "executor"), lose_a_node)
    assert [job.status for job in jobs] == ["done", "failed"], [job.reason for job in jobs]
    assert "its job 7_1 ended without a result" in jobs[1].reason
    log = Path(jobs[1].reason.partition("; see ")[2])
    assert log == tmp_path / "executor" / "submitit" / "7_1_0_log.err"
    assert capfd.readouterr().out == ""  # where results alone belong


def test_what_sbatch_refuses_is_told_in_its_words(cluster: Path, tmp_path: Path) -> None:
    (cluster / "says").write_text("sbatch: error: invalid partition specified: gpux\n")
    executor = SlurmExecutor(Settings(partition="gpux"), tmp_path / "executor")
    with pytest.raises(ResourceError, match="invalid partition specified: gpux"):
        executor.submit(quick(tmp_path, 2))


def _submitted_before(cluster: Path, root: Path) -> tuple[QuickJob, Marks, SlurmExecutor]:
    """A run whose job 7_0 lives, as accounting and queue may deny. To submit it again is refused: "another"."""
    (job,) = quick(root, 1)
    (cluster / "tasks" / "7_0").write_text(str(os.getpid()))
    (cluster / "says").write_text("sbatch: error: another\n")
    marks = marks_of(job, root / "executor")
    marks.set("started")
    (root / "executor" / "jobs.json").write_text(f'{{"{marks.path.name}": "7_0"}}')
    return job, marks, SlurmExecutor(Settings(), root / "executor")


@pytest.mark.parametrize("state", ["SUSPENDED", "NODE_FAIL"])
def test_what_is_suspended_or_has_lost_its_node_goes_on_while_the_queue_has_it(
    state: str, cluster: Path, tmp_path: Path
) -> None:
    job, _, executor = _submitted_before(cluster, tmp_path)
    (cluster / "accounting").write_text(f"JobID|State|NodeList\n7_0|{state}|n1\n")
    for _ in range(2):
        executor.submit([job])
        assert executor.poll() == {job.folder: "running"}
    (cluster / "squeue").write_text("#!/bin/bash\nexit 1\n")
    unsure = SlurmExecutor(Settings(), tmp_path / "executor")
    if state == "NODE_FAIL":
        with pytest.raises(ResourceError, match="another"):
            unsure.submit([job])
    else:
        unsure.submit([job])


def test_a_job_that_has_lost_its_node_is_taken_out_of_the_queue(cluster: Path, tmp_path: Path) -> None:
    job, marks, executor = _submitted_before(cluster, tmp_path)
    executor.submit([job])
    executor.cancel([job])
    assert (cluster / "tasks" / "7_0").exists()  # it runs: the mark tells it
    (cluster / "queue").write_text("PENDING")
    executor.cancel([job])
    assert not (cluster / "tasks" / "7_0").exists()
    end_jobs([job], executor)

    job, marks, later = _submitted_before(cluster, tmp_path)  # told, by an earlier process
    assert marks.is_set("cancel")
    with pytest.raises(ResourceError, match="another"):
        later.submit([job])
    assert not (cluster / "tasks" / "7_0").exists()


def test_no_second_job_is_submitted_while_one_saves(
    cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqlab.executors.slurm._SAVE_SECONDS", 0)
    job, marks, executor = _submitted_before(cluster, tmp_path)
    marks.set("cancel")
    with pytest.raises(ResourceError, match="job 7_0 was told to end and has not yet"):
        executor.submit([job])


def test_a_job_that_was_told_to_end_is_not_taken_for_one_that_goes_on(tmp_path: Path) -> None:
    (job,) = quick(tmp_path, 1, 60)
    first, second = (SlurmExecutor(Settings(cluster="local"), tmp_path / "executor") for _ in range(2))
    first.submit([job])
    while job.step < 2:
        first.poll()
        job.read_log()
        time.sleep(0.05)
    first.cancel([job])  # and now its process is killed
    (again,) = quick(tmp_path, 1, 60)
    run_jobs([again], second)
    assert again.status == "done"
    assert len(again.starts()) == 2
    while first.poll():
        time.sleep(0.1)


def test_a_result_that_another_machine_wrote_may_come_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = quick(tmp_path, 1)
    result = job.folder / "result.json"
    monkeypatch.setattr(type(job), "command", lambda *_: ["true"])  # it has ended well, and nothing can be seen of it
    job.folder.mkdir()

    def arrive() -> None:
        result.write_text('{"primary": 1, "validation": 1, "test": 1, "metrics": 1, "seconds": 1}')

    timer = threading.Timer(1.0, arrive)
    timer.start()
    with LocalExecutor() as executor:
        run_jobs([job], executor)
    timer.join()
    assert job.status == "done", job.reason


def test_a_run_that_has_ended_is_not_left_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late, going = jobs = quick(tmp_path, 2, 10_000)
    monkeypatch.setattr(late, "command", lambda *_: ["true"])  # its result comes later
    monkeypatch.setattr(LocalExecutor, "detached", True)
    with LocalExecutor(2) as executor:

        def interrupt() -> None:
            if going.step > 1 and executor.poll().keys() == {going.folder}:
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(LeftRunning) as left:
            run_jobs(jobs, executor, interrupt)
        assert left.value.jobs == (going,)
        end_jobs(jobs, executor)
    assert going.folder.exists()


def test_nothing_is_left_running_where_all_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (late,) = quick(tmp_path, 1)
    monkeypatch.setattr(type(late), "command", lambda *_: ["true"])
    monkeypatch.setattr(LocalExecutor, "detached", True)
    states = list[Mapping[Path, State]]()
    poll = LocalExecutor.poll

    def noted(executor: LocalExecutor) -> Mapping[Path, State]:
        states.append(poll(executor))
        return states[-1]

    monkeypatch.setattr(LocalExecutor, "poll", noted)

    def interrupt() -> None:
        if any(isinstance(state, Ended) for state in states[-1].values()):
            os.kill(os.getpid(), signal.SIGINT)

    with LocalExecutor() as executor, pytest.raises(Interrupted, match="stopped with 0 of 1 runs made"):
        run_jobs([late], executor, interrupt)
    assert late.status == "waiting"
