"""One run of several processes, from the command line: kills, signals, errors, torchrun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from seqlab.errors import ConfigError, Followed, Interrupted, LostProcess, NumericError, ResourceError, SeqlabError
from seqlab.runs.ended import VARIABLE, is_over, note, read_note
from seqlab.runs.folder import read_overrides
from tests.conftest import TEXT, tiny_overrides


def _words(*more: str, corpus: str = str(TEXT)) -> list[str]:
    # a budget that leaves time for a signal; checkpoints often enough for a kill to lose little
    limits = ("trainer.max_steps=150", "trainer.eval_every_steps=50", "trainer.save_every_steps=5")
    return tiny_overrides("lstm", "char_lm", f"task.corpus={corpus}", "device=cpu", "model.dropout=0.2", *limits, *more)


def _start(cwd: Path, *command: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "TERM": "dumb"}
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _train(cwd: Path, folder: str) -> subprocess.Popen[str]:
    words = _words("device.processes=2")
    return _start(cwd, "-m", "seqlab", "train", *words, "--folder", folder, "--quiet")


def _wait_for_step(folder: Path, step: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        if any(int(path.name[5:]) >= step for path in (folder / "checkpoints").glob("step-*")):
            return
        time.sleep(0.02)
    raise AssertionError(process.communicate()[0])


def _process_of_rank(parent: int, rank: int) -> int:
    """The child of `parent` with this rank."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            mine = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent
            if mine and f"RANK={rank}" in (path / "environ").read_text().split("\0"):
                return int(path.name)
        except OSError:  # it has just ended
            continue
    raise AssertionError(f"no process of rank {rank}")


def _logged(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds" and not k.startswith("speed/")} for line in lines]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that nothing disturbs."""
    cwd = tmp_path_factory.mktemp("undisturbed")
    process = _train(cwd, "run")
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return cwd / "run"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_is_started_again_and_nothing_is_lost(rank: int, undisturbed: Path, tmp_path: Path) -> None:
    process = _train(tmp_path, "run")
    _wait_for_step(tmp_path / "run", 20, process)
    os.kill(_process_of_rank(process.pid, rank), signal.SIGKILL)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "a process of the run was lost" in said
    assert _logged(tmp_path / "run") == _logged(undisturbed)
    facts = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert facts["chosen"]["processes"] == 2
    assert len(facts["resumed"]) == 1
    assert facts["resumed"][0]["changed"] == {}


@pytest.mark.slow
def test_sigterm_saves_and_torchrun_goes_on_with_the_run(undisturbed: Path, tmp_path: Path) -> None:
    """As a cluster does it: the first job is stopped, and the same command is started again."""
    process = _train(tmp_path, "run")
    _wait_for_step(tmp_path / "run", 20, process)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 143, said
    assert said.count("error:") == 1
    assert "continue with: seqlab resume run" in said
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    again = _start(tmp_path, *torchrun, "-m", "seqlab", "train", *read_overrides(tmp_path / "run"), "--folder", "run")
    said, _ = again.communicate(timeout=240)
    assert again.returncode == 0, said
    assert said.count("  test bits_per_character") == 1
    assert _logged(tmp_path / "run") == _logged(undisturbed)


@pytest.mark.slow
def test_an_error_of_the_processes_is_shown_once_and_ends_them(tmp_path: Path) -> None:
    words = _words("device.processes=2", corpus="nowhere.txt")
    process = _start(tmp_path, "-m", "seqlab", "train", *words, "--name", "mine")
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 3, said
    assert said.count("error:") == 1
    assert "nowhere.txt" in said
    assert not (tmp_path / "runs" / "char_lm" / "lstm" / "mine").exists()


@pytest.mark.slow
def test_shards_of_two_processes_are_a_run_like_any_other(tmp_path: Path) -> None:
    """With pictures, which the first process draws by itself, and then resumed in one process."""
    words = tiny_overrides("lstm", "char_lm", f"task.corpus={TEXT}", "device=cpu", "trainer.log_pictures=true")
    words += ["device.processes=2", "device.sharding=fsdp"]
    process = _start(tmp_path, "-m", "seqlab", "train", *words, "--folder", "run")
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "2 processes, each cpu" in said
    assert "with a shard of the network" in said
    log = (tmp_path / "run" / "train.log").read_text()
    assert log.count("go without") == log.count("go without gradients: with device.sharding=fsdp") == 1
    alone = ("device.processes=1", "trainer.max_steps=6")
    process = _start(tmp_path, "-m", "seqlab", "resume", "run", *alone)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "processes was 2, is 1; sharding was fsdp, is ddp" in said
    assert json.loads((tmp_path / "run" / "result.json").read_text())["steps"] == 6


@pytest.mark.parametrize(
    ("error", "rank", "code"),
    [
        (NumericError("the loss is not finite", "try less"), 0, 0),
        (Interrupted("stopped at step 3", "", 143), 0, 0),
        (ResourceError("out of memory"), 1, 0),
        (Interrupted("stopped at step 3", "", 143), 1, 0),
        (Followed("the first process has ended", "", 3), 1, 0),
        (LostProcess("another process has ended"), 0, 6),
    ],
)
def test_what_ends_a_run_is_written_down_by_one_process(
    error: SeqlabError, rank: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors that all processes raise together are the first one's to tell; a lost process is no reason to end."""
    told = tmp_path / "ended.json"
    monkeypatch.setenv(VARIABLE, str(told))
    monkeypatch.setenv("RANK", str(rank))
    assert note(error) == code
    tells = type(error) in (NumericError, ResourceError) or (rank == 0 and isinstance(error, Interrupted))
    assert is_over() == tells
    found = read_note(told)
    assert (found is None) != tells
    if found is not None:
        assert (type(found), found.lines(), found.exit_code) == (type(error), error.lines(), error.exit_code)
        note(ConfigError("a later one"))
        assert read_note(told).lines() == error.lines()  # type: ignore[union-attr]
