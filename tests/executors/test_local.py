"""Several runs at a time on this machine: places, and what one run may not do to another."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from seqlab.errors import Interrupted
from seqlab.executors.local import LocalExecutor
from seqlab.executors.places import Place, gpus_of, places_for, threads_of, usable_cores
from seqlab.executors.run_jobs import run_jobs
from tests.commands import run
from tests.executors.quick import quick


def test_so_many_at_a_time_and_no_more(tmp_path: Path) -> None:
    jobs = quick(tmp_path, 4, 6)
    seen: list[int] = []
    with LocalExecutor(2) as executor:
        run_jobs(jobs, executor, lambda: seen.append(sum(job.status == "running" for job in jobs)))
    assert [job.status for job in jobs] == ["done"] * 4
    assert max(seen) == 2
    assert all(len(job.starts()) == 1 and job.step == 6 and job.seconds > 0 for job in jobs)


def test_places_divide_the_cores_and_take_the_gpus_in_turn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setattr("seqlab.executors.places.usable_cores", lambda: [0, 1, 4, 6, 7])
    first, second, third = places_for(3)
    assert [place.cores for place in (first, second, third)] == [(0,), (1,), (4,)]
    assert [place.gpu for place in (first, second, third)] == ["3", "5", "3"]
    first, second = places_for(2)
    assert (first.cores, second.cores) == ((0, 1), (4, 6))
    (job,) = quick(tmp_path, 1, 1, 0, "device.threads=2")
    assert first.options(job) == ["--cores", "0,1"]
    assert places_for(1) == [Place((), None)]  # alone it has everything, as without an executor


@pytest.mark.parametrize(("overrides", "bound"), [(("device.threads=3",), False), ((), False)])
def test_a_run_that_needs_more_threads_than_its_share_may_use_all_cores(
    overrides: tuple[str, ...], bound: bool, tmp_path: Path
) -> None:
    (job,) = quick(tmp_path, 1, 1, 0, *overrides)
    place = Place((0, 1), None)
    assert bool(place.options(job)) == bound
    assert threads_of(("device.threads=auto",)) is None
    assert threads_of(("device.type=cuda", "device.threads=3")) == 3
    assert gpus_of(("device.type=cuda", "device.threads=3")) == 1


@pytest.mark.skipif(len(usable_cores()) < 2, reason="a single core cannot be divided")
def test_a_process_is_bound_to_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,8")
    jobs = quick(tmp_path, 2, 2, 0, "device.threads=1")
    with LocalExecutor(2) as executor:
        run_jobs(jobs, executor)
    assert [job.starts()[0][1] for job in jobs] == [str(len(usable_cores()) // 2)] * 2
    assert {job.starts()[0][2] for job in jobs} == {"7", "8"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_all_runs_save_and_begins_no_other(tmp_path: Path, number: int, code: int) -> None:
    jobs = quick(tmp_path, 3, 100)
    started = threading.Event()

    def both_run() -> None:
        if not started.is_set() and all(job.step > 1 for job in jobs[:2]):
            started.set()
            os.kill(os.getpid(), number)

    with LocalExecutor(2) as executor, pytest.raises(Interrupted, match="stopped with 0 of 3 runs made") as stopped:
        run_jobs(jobs, executor, both_run)
    assert stopped.value.exit_code == code
    assert [job.status for job in jobs] == ["waiting"] * 3
    assert not jobs[2].folder.exists()


def test_an_error_of_the_caller_leaves_no_process(tmp_path: Path) -> None:
    jobs = quick(tmp_path, 2, 1000)

    def fail() -> None:
        if all(job.step for job in jobs):
            raise ValueError("the caller's own")

    with pytest.raises(ValueError, match="own"), LocalExecutor(2) as executor:
        run_jobs(jobs, executor, fail)
    for job in jobs:
        with pytest.raises(ProcessLookupError):
            os.kill(int(job.starts()[0][0]), 0)


def test_a_run_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    first, second = quick(tmp_path, 1, 12), quick(tmp_path, 1, 12)
    with LocalExecutor() as one, LocalExecutor() as two:
        one.submit(first)
        while not (first[0].folder / "config.yaml").exists():
            one.poll()
            time.sleep(0.02)
        run_jobs(second, two)
    assert second[0].status == "done"
    assert len(second[0].starts()) == 1


def test_a_run_whose_parent_has_ended_before_it_began_does_not_begin(tmp_path: Path) -> None:
    made = run("make", "--folder", "x", "--with-parent", "1", "--", "model=rnn", "seed=0", cwd=tmp_path)
    assert made.returncode == 128 + signal.SIGTERM, made.stderr
    assert not list(tmp_path.iterdir())
