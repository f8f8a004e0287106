"""What runs are called that are looked at together."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqlab.runs.run import Run, open_run
from seqlab.runs.train import train
from seqlab.runs.variants import label_runs
from tests.conftest import TASKS, has_setting, tiny_config

TASK = next(task for task in TASKS if has_setting("task.eval_lengths", task=task))

RUNS = {
    "plain": ("rnn", "seed=0"),
    "second": ("rnn", "seed=1"),
    "again": ("rnn", "seed=1"),
    "unclipped": ("rnn", "seed=0", "trainer.clip_norm=null"),
    "deep": ("rnn", "seed=0", "model.layers=3", "trainer.clip_norm=2.0", "trainer.bptt_steps=3", "optim=sgd"),
    "in_bf16": ("rnn", "seed=0", "device.precision=bf16"),
    "exact": ("rnn", "seed=0", "deterministic=true"),
    "often": ("rnn", "seed=0", "trainer.eval_every_steps=1"),
    "elsewhere": ("rnn", "seed=2", "task.eval_lengths=[20]", "task.eval_batch_size=2"),
    "gated": ("gru", "seed=0"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    root = tmp_path_factory.mktemp("runs")
    for name, (model, *overrides) in RUNS.items():
        config = tiny_config(model, TASK, "device=cpu", "trainer.max_steps=1", f"runs_dir={root}", *overrides)
        train(config, name=name, checked=True)
    return {name: open_run(root / TASK / model / name) for name, (model, *_) in RUNS.items()}


@pytest.mark.parametrize(
    ("names", "labels", "variants"),
    [
        (("plain", "gated"), ["rnn", "gru"], ["rnn", "gru"]),
        (("plain", "second", "gated"), ["rnn, seed 0", "rnn, seed 1", "gru"], ["rnn", "rnn", "gru"]),
        (("plain", "unclipped"), ["rnn, clip_norm=1.0", "rnn, clip_norm=null"], None),
        (
            ("plain", "second", "unclipped"),
            ["rnn, clip_norm=1.0, seed 0", "rnn, clip_norm=1.0, seed 1", "rnn, clip_norm=null"],
            ["rnn, clip_norm=1.0", "rnn, clip_norm=1.0", "rnn, clip_norm=null"],
        ),
        (("second", "again"), ["rnn second", "rnn again"], ["rnn second", "rnn again"]),  # one seed, not two
        (
            ("plain", "second", "again"),
            ["rnn, seed 0", "rnn second", "rnn again"],
            ["rnn", "rnn second", "rnn again"],
        ),
        (("plain", "in_bf16"), ["rnn, precision=auto", "rnn, precision=bf16"], None),
        (("plain", "exact"), ["rnn, deterministic=false", "rnn, deterministic=true"], None),
        (("plain", "often"), ["rnn, eval_every_steps=2", "rnn, eval_every_steps=1"], None),
        (("plain", "elsewhere"), ["rnn, seed 0", "rnn, seed 2"], ["rnn", "rnn"]),  # evaluated otherwise, trained alike
        (("plain", "second", "deep"), ["rnn plain, seed 0", "rnn plain, seed 1", "rnn deep"], None),  # too much differs
    ],
)
def test_labels_say_what_differs(
    names: tuple[str, ...], labels: list[str], variants: list[str] | None, runs: dict[str, Run]
) -> None:
    found = label_runs([runs[name] for name in names])
    assert [run.label for run in found] == labels
    if variants is not None:
        assert [run.variant for run in found] == variants


def test_a_run_from_the_weights_of_another_is_no_further_seed(runs: dict[str, Run], tmp_path: Path) -> None:
    start = runs["plain"].folder
    words = ("device=cpu", "trainer.max_steps=1", f"runs_dir={tmp_path}", "seed=1", f"init_from={start}")
    continued = open_run(train(tiny_config("rnn", TASK, *words), name="continued", checked=True).folder)
    found = label_runs([runs["plain"], continued])
    assert [run.variant for run in found] == ["rnn, init_from=null", f"rnn, init_from={start}"]
