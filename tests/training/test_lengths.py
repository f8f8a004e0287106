"""Other lengths are evaluated when training is over, and must not cost its result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seqlab.core.other_lengths import other_lengths
from seqlab.insight.length import length
from seqlab.kinds.generated import GeneratedTask
from seqlab.runs.result import Result
from seqlab.runs.resume import resume
from seqlab.runs.run import open_run
from seqlab.runs.train import train
from seqlab.runs.variants import inspected
from tests.commands import Capture, Patch, in_process
from tests.conftest import TASKS, has_setting, tiny_config, tiny_task

LENGTH_TASKS = tuple(task for task in TASKS if has_setting("task.eval_lengths", task=task))
TOO_LONG = 10**15  # no machine has so many bytes


@pytest.mark.parametrize("name", LENGTH_TASKS)
def test_a_length_too_large_for_memory_does_not_cost_the_result(
    name: str, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    trained = other_lengths(tiny_task(tiny_config("gru", name))).length()
    lengths = f"task.eval_lengths=[{2 * trained},{TOO_LONG}]"
    config = tiny_config("gru", name, "device=cpu", "trainer.max_steps=2", f"runs_dir={tmp_path}", lengths)
    result = train(config, name="a", checked=True)
    at, beyond, too_long = result.lengths
    assert at.values == result.test
    assert beyond.values
    assert (at.failed, beyond.failed) == ("", "")
    assert (too_long.values, too_long.failed) == ({}, "out of memory")
    run = open_run(result.folder)
    assert [one.failed for one in run.result.lengths] == ["", "", "out of memory"]
    code, out, err = in_process(capsys, monkeypatch, "evaluate", str(result.folder))
    assert code == 0, err
    assert f"length {TOO_LONG:,} was not evaluated: out of memory" in " ".join(out.split())
    assert "could not have been trained on" not in out
    (picture,) = length([inspected("it", run)])
    assert f"it was not evaluated at length {TOO_LONG}: out of memory" in picture.about
    resumed = resume(result.folder, [f"task.eval_lengths=[{2 * trained}]"])
    assert isinstance(resumed, Result)
    assert resumed.test == result.test
    assert [one.as_json() for one in resumed.lengths] == [at.as_json(), beyond.as_json()]
    stored = json.loads((result.folder / "result.json").read_text(encoding="utf-8"))
    assert [one["length"] for one in stored["lengths"]] == [trained, 2 * trained]


@pytest.mark.parametrize("name", LENGTH_TASKS)
def test_longer_sequences_are_read_in_smaller_batches(name: str) -> None:
    task = tiny_task(tiny_config("gru", name))
    known = other_lengths(task)
    rows = next(iter(task.batches("test", 0))).size
    assert rows > 1
    for factor in (2, 10 * rows):
        longer = known.at_length(factor * known.length())
        assert next(iter(longer.batches("test", 0))).size == max(1, rows // factor)


@pytest.mark.parametrize("name", LENGTH_TASKS)
def test_a_length_that_the_task_does_not_have_is_refused_before_the_evaluation(
    name: str, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    task = tiny_task(tiny_config("gru", name))
    assert isinstance(task, GeneratedTask)
    too_short = task.config.shortest()[0] - 1
    if not too_short:  # every length is long enough
        return
    config = tiny_config("gru", name, "device=cpu", "trainer.max_steps=1", f"runs_dir={tmp_path}")
    folder = train(config, name="a", checked=True).folder
    code, out, err = in_process(capsys, monkeypatch, "evaluate", str(folder), "--length", str(too_short))
    assert (code, out) == (2, "")
    assert f"--length {too_short}: too short for " in err
    assert f"try {too_short + 1} or more" in err
    assert not (folder / "evaluation").exists()
