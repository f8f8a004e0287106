"""What runs are called that are looked at together."""

from __future__ import annotations

import pytest

from seqlab.config.run import load_run_config
from seqlab.runs.run import Run, open_run
from seqlab.runs.train import train
from seqlab.runs.variants import label_runs
from tests.conftest import TASKS, tiny_overrides

RUNS = {
    "plain": ("rnn", "seed=0"),
    "second": ("rnn", "seed=1"),
    "again": ("rnn", "seed=1"),
    "unclipped": ("rnn", "seed=0", "trainer.clip_norm=null"),
    "deep": ("rnn", "seed=0", "model.layers=3", "trainer.clip_norm=2.0", "trainer.bptt_steps=3", "optim=sgd"),
    "gated": ("gru", "seed=0"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    root = tmp_path_factory.mktemp("runs")
    for name, (model, *overrides) in RUNS.items():
        words = tiny_overrides(model, TASKS[0], "device=cpu", "trainer.max_steps=1", f"runs_dir={root}", *overrides)
        train(load_run_config(words), name=name)
    return {name: open_run(root / TASKS[0] / model / name) for name, (model, *_) in RUNS.items()}


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
        (("second", "again"), ["rnn second", "rnn again"], ["rnn", "rnn"]),  # nothing differs
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
