"""What every executor must do, whoever makes the runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seqlab.executors.execution import read_execution
from seqlab.executors.executor import Executor
from seqlab.executors.run_jobs import run_jobs
from tests.executors.quick import quick

Make = Callable[[], Executor]


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Any]:
    """A cluster of one node process on this machine."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_worker_niceness", "0")  # a busy machine would hardly run them
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


@pytest.fixture(params=["local", "slurm", pytest.param("ray", marks=pytest.mark.slow)])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes an executor; a second call is that of another process."""
    made: list[Executor] = []
    name = str(request.param)
    settings = ["executor.cluster=local"] if name == "slurm" else []
    if name == "slurm":
        pytest.importorskip("submitit")
    if name == "ray":
        settings = [f"executor.address={request.getfixturevalue('ray_cluster').address}"]
    _, execution = read_execution(settings, name, 2)

    def executor() -> Executor:
        for one in made:
            one.close()
        made.append(execution.executor(tmp_path))
        return made[-1]

    yield executor
    for one in made:
        one.close()


def test_done_failed_and_complete_before(make: Make, tmp_path: Path) -> None:
    (done, bad, before), ended = quick(tmp_path, 3), list[str]()
    bad.fails = 2
    run_jobs([before], make())
    again = quick(tmp_path, 3)[2]
    run_jobs([done, bad, again], make(), on_end=lambda job: ended.append(job.folder.name))
    assert [job.status for job in (done, bad, again)] == ["done", "failed", "done"]
    assert (bad.reason, bad.code) == ("out of memory; try less", 6)
    assert len(again.starts()) == 1  # the first time alone
    assert sorted(ended) == ["run-0", "run-1"]


def test_killed_and_resumed(make: Make, tmp_path: Path) -> None:
    (job,) = quick(tmp_path, 1, 40)
    killed: list[int] = []

    def kill() -> None:
        if job.step >= 3 and not killed:
            killed.append(int(job.starts()[0][0]))
            os.kill(killed[0], signal.SIGKILL)

    executor = make()
    run_jobs([job], executor, kill)
    if job.status == "failed":  # an engine may have started it again by itself
        assert "SIGKILL" in job.reason
        job.status = "waiting"
        run_jobs([job], make())
    assert job.status == "done"
    assert len(job.starts()) == 2
    assert [line["step"] for line in job.lines] == list(range(1, 41))


def test_one_is_cancelled_and_the_others_go_on(make: Make, tmp_path: Path) -> None:
    jobs = quick(tmp_path, 3, 12)
    jobs[0].steps = jobs[2].steps = 2000
    executor = make()

    def prune() -> None:
        executor.cancel([job for job in jobs if job.steps == 2000 and job.step > 1])

    run_jobs(jobs, executor, prune)
    assert [job.status for job in jobs] == ["cancelled", "done", "cancelled"]
    assert 0 < jobs[0].step < 2000
    (again,) = quick(tmp_path, 1, jobs[0].step + 1)
    run_jobs([again], make())
    assert [line["step"] for line in again.lines] == list(range(1, again.steps + 1))  # it had saved


@pytest.mark.slow
def test_a_run_goes_on_when_ray_has_lost_its_node(
    ray_cluster: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (job,) = quick(tmp_path, 1, 60)
    nodes: list[Any] = []

    def lose() -> None:
        if job.step >= 3 and len(nodes) == 1:
            ray_cluster.remove_node(nodes[0], allow_graceful=False)
        if not nodes or (job.step >= 3 and len(nodes) == 1):
            nodes.append(ray_cluster.add_node(num_cpus=3))

    words = [f"executor.address={ray_cluster.address}", "executor.cpus=3"]
    with read_execution(words, "ray")[1].executor(tmp_path) as executor:
        run_jobs([job], executor, lose)
    ray_cluster.remove_node(nodes[1])
    assert job.status == "done"
    assert len(job.starts()) == 2
    assert [line["step"] for line in job.lines] == list(range(1, 61))
    assert "no node of the Ray cluster has what a run needs: CPU 3" in caplog.text  # there was none at first
    assert capfd.readouterr().out == ""  # where results alone belong
