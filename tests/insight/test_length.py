"""The view of length: its values are those of an evaluation, and no model is evaluated at positions it was not trained
on."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from seqlab.core.baseline import ChanceLevel
from seqlab.core.model import context_of
from seqlab.core.offers import offers
from seqlab.core.other_lengths import other_lengths
from seqlab.drawing.picture import COLOURS
from seqlab.errors import ConfigError
from seqlab.insight.inspected import InspectedRun
from seqlab.insight.length import length
from seqlab.runs.run import Run, open_run
from seqlab.runs.train import train
from seqlab.runs.variants import inspected, label_runs
from seqlab.training.lengths import AtLength, lengths_around
from tests.commands import Capture, Patch, in_process
from tests.conftest import MODELS, TASKS, has_setting, tiny_config, tiny_network, tiny_task

LENGTH_TASKS = tuple(task for task in TASKS if has_setting("task.eval_lengths", task=task))
STATE = {"rnn": 2 * 16 * 4, "gru": 2 * 16 * 4, "lstm": 2 * 2 * 16 * 4}  # 2 layers of width 16 in fp32; the cell as well


def _run(model: str, task: str, root: Path, *overrides: str, name: str = "a") -> Run:
    config = tiny_config(model, task, "device=cpu", "trainer.max_steps=2", f"runs_dir={root}", *overrides)
    return open_run(train(config, name=name, checked=True).folder)


def _trained(task: str) -> int:
    return other_lengths(tiny_task(tiny_config("gru", task))).length()


@pytest.mark.parametrize("task", LENGTH_TASKS)
def test_values_are_those_of_an_evaluation(task: str, trained_runs: Path) -> None:
    run = open_run(trained_runs / f"runs/{task}/gru/a")
    (picture,) = length([inspected("it", run)])
    (data,), chance = picture.data["runs"], picture.data["chance"]
    trained = _trained(task)
    assert {trained, 2 * trained, 4 * trained} <= set(data["length"])
    found = run.evaluate(split="validation", lengths=data["length"])
    assert [one.length for one in found.lengths] == data["length"]
    assert [one.values[found.primary] for one in found.lengths] == data["value"]
    assert [list(one.interval) for one in found.lengths] == data["interval"]
    assert found.values == next(one.values for one in found.lengths if one.length == trained)
    for other, level in zip(chance["length"], chance["value"], strict=True):
        source = other_lengths(run.task).at_length(other)
        assert offers(source, ChanceLevel)
        assert level == source.chance("validation").metrics[found.primary].value
    assert chance["length"] == data["length"]


DEEP = [
    (model, remedy)
    for model in MODELS
    if (remedy := tiny_config(model, LENGTH_TASKS[0]).model.reaching(100)) is not None
]
"""Models with a limited receptive field, and the override that makes it longer than the sequences."""


@pytest.mark.parametrize("task", LENGTH_TASKS)
@pytest.mark.parametrize(("model", "deeper"), [*((model, "") for model in MODELS), *DEEP])
def test_models_are_not_evaluated_at_positions_or_distances_that_training_did_not_have(
    model: str, deeper: str, task: str, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    """In the view, in an evaluation, and in the result of training."""
    trained = _trained(task)
    run = _run(model, task, tmp_path, f"task.eval_lengths=[{2 * trained}]", *filter(None, [deeper]))
    (picture,) = length([inspected("it", run)])
    (data,) = picture.data["runs"]
    limited = context_of(run.network) is not None or bool(deeper)
    assert data["length"] == ([trained] if limited else [trained, 2 * trained])
    assert data["not_evaluated"] == ([2 * trained] if limited else [])
    assert (f"it was trained on {run.task.longest()} positions" in picture.about) == limited
    at, beyond = run.result.lengths
    assert (at.length, beyond.length) == (trained, 2 * trained)
    assert at.values == run.result.test
    assert bool(beyond.values) == (not limited)
    stored = json.loads((run.folder / "result.json").read_text(encoding="utf-8"))["lengths"]
    assert [one["length"] for one in stored] == [trained, 2 * trained]
    code, out, err = in_process(capsys, monkeypatch, "evaluate", str(run.folder), "--json")
    assert code == 0, err
    assert json.loads(out)["lengths"] == stored
    code, out, err = in_process(capsys, monkeypatch, "evaluate", str(run.folder), "--length", str(3 * trained))
    assert code == (2 if limited else 0), err
    assert ("try" in err or f"task.length={3 * trained}" in err) if limited else f"\n{3 * trained} " in out


@pytest.mark.parametrize("task", LENGTH_TASKS)
@pytest.mark.parametrize("model", STATE)
def test_bytes_are_the_size_of_the_state(model: str, task: str) -> None:
    config = tiny_config(model, task)
    run = InspectedRun("it", Path("nowhere"), config, tiny_task(config), tiny_network(config), 0)
    (picture,) = length([run])
    assert picture.data["runs"][0]["state_bytes"] == STATE[model]


@pytest.mark.parametrize("task", LENGTH_TASKS)
def test_seeds_form_one_variant_and_a_run_of_another_length_a_second(task: str, tmp_path: Path) -> None:
    trained = _trained(task)
    runs = [
        _run("rnn", task, tmp_path, "seed=0", name="a"),
        _run("rnn", task, tmp_path, "seed=1", name="b"),
        _run("gru", task, tmp_path, f"task.length={2 * trained}", name="c"),
    ]
    (picture,) = length(label_runs(runs))
    assert [run["variant"] for run in picture.data["runs"]] == ["rnn", "rnn", "gru"]
    assert [run["trained_length"] for run in picture.data["runs"]] == [trained, trained, 2 * trained]
    assert len({tuple(run["length"]) for run in picture.data["runs"]}) == 1
    assert picture.svg.count(">rnn, 2 seeds<") == 1
    with pytest.raises(ConfigError, match="read different data"):
        length([*label_runs(runs), *label_runs([_run("gru", task, tmp_path, "task.data_seed=5", name="d")])])


def test_models_of_one_colour_are_not_joined() -> None:
    """Only variants of one model are; there are more models than colours."""
    name, count = LENGTH_TASKS[0], len(COLOURS) + 1

    def untrained(model: str, width: int) -> InspectedRun:
        config = tiny_config("gru", name, f"model.width={width}")
        named = replace(config, names={**config.names, "model": model})
        label = f"{model}, width={width}"
        return InspectedRun(label, Path(label), named, tiny_task(config), tiny_network(config), 0)

    def joined(runs: list[InspectedRun]) -> int:
        (picture,) = length(runs)
        figure = Figure()
        picture.draw(figure)
        return sum(np.size(line.get_xdata()) > 1 for line in figure.axes[1].lines)

    assert joined([untrained(f"model{index}", 4 + 4 * index) for index in range(count)]) == 0
    assert joined([untrained("model", 4), untrained("model", 8)]) == 1


def test_a_task_with_one_length_has_no_such_view(trained_runs: Path, capsys: Capture, monkeypatch: Patch) -> None:
    (task, *_) = (task for task in TASKS if task not in LENGTH_TASKS)
    folder = str(trained_runs / f"runs/{task}/gru/a")
    for words in (("inspect", folder, "length"), ("evaluate", folder, "--length", "7")):
        code, out, err = in_process(capsys, monkeypatch, *words)
        assert (code, out) == (2, "")
        assert "has sequences of its own lengths only" in err
        assert "only tasks with the setting task.length have others" in " ".join(err.split())
    assert [name for name in TASKS if has_setting("task.length", task=name)] == list(LENGTH_TASKS)


def test_lengths_that_a_task_does_not_have_are_left_out() -> None:
    for name in LENGTH_TASKS:
        task = tiny_task(tiny_config("gru", name))
        for one in lengths_around(task):
            other_lengths(task).at_length(one)


def test_stored_values_are_reused() -> None:
    found = AtLength(5, {"mse": 0.25}, (0.1, 0.4), {"mse": 1 / 6})
    assert AtLength.stored(json.loads(json.dumps(found.as_json()))) == found


@pytest.mark.parametrize("task", LENGTH_TASKS)
def test_a_diverged_network_is_drawn_beside_a_healthy_one(task: str, trained_runs: Path) -> None:
    healthy = inspected("healthy", open_run(trained_runs / f"runs/{task}/gru/a"))
    config = tiny_config("rnn", task)
    network = tiny_network(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(float("nan"))
    (picture,) = length([healthy, replace(healthy, label="filled", variant="filled", config=config, network=network)])
    _, filled = picture.data["runs"]
    finite = any(map(math.isfinite, filled["value"]))
    meter = healthy.validated
    assert finite == meter.compute()[meter.primary].higher_is_better  # of what says nan, a share is right: none
    assert ("filled: not finite" in picture.svg) == (not finite)
    assert ">healthy<" in picture.svg
