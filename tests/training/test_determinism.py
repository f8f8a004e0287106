"""The same seed gives the same numbers, and logging or validating changes none of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab.training.device import resolve_device
from tests.conftest import CORPUS_TASKS, PAIRS, ROLES, on_corpus, tiny_config
from tests.training.test_trainer import Listener, make_trainer, weights

_EVERYTHING = """
import hashlib, json, sys
from pathlib import Path
from seqlab.runs.train import train
from tests.conftest import PAIRS, ROLES, tiny_config
found, corpora = {}, json.loads(sys.argv[1])
for model, task in PAIRS:
    for precision in ("fp32", "bf16") if task in ROLES else ("fp32",):
        more = ("model.dropout=0.2", f"device.precision={precision}", "device=cpu", "device.threads=1")
        folder = Path(f"{model}-{task}-{precision}")
        config = tiny_config(model, task, *more, *corpora.get(task, ()))
        train(config, folder=folder, checked=True)
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        lines = [{k: v for k, v in l.items() if k != "seconds" and not k.startswith("speed/")} for l in lines]
        found[folder.name] = [lines, (folder / "samples.txt").read_text()]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_two_processes_give_the_same_results(tmp_path: Path, table: Callable[..., Path]) -> None:
    """Every model in its roles, in each precision, and every task; with other hash seeds, so that no order comes from a
    set: in the corpus most words are as frequent as each other."""
    corpora = {task: on_corpus(task, table("corpus.tsv", rows=300)) for task in CORPUS_TASKS}
    said: list[dict[str, Any]] = []
    for number in (1, 2):
        here = tmp_path / str(number)
        here.mkdir()
        root = str(Path(__file__).parent.parent.parent)
        environment = {**os.environ, "PYTHONHASHSEED": str(number), "PYTHONPATH": root}
        done = subprocess.run(
            [sys.executable, "-c", _EVERYTHING, json.dumps(corpora)],
            cwd=here, capture_output=True, text=True, env=environment, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said.append(json.loads(done.stdout))
    assert len(said[0]) == len(PAIRS) + sum(task in ROLES for _, task in PAIRS)
    for name, first in said[0].items():
        assert first == said[1][name], name
    assert said[0]["lstm-char_lm-fp32"] != said[0]["lstm-char_lm-bf16"]


@pytest.mark.parametrize(("model", "task"), [("lstm", "char_lm"), ("transformer", "sentiment"), ("gru", "translation")])
def test_intervals_of_logging_validation_and_saving_change_no_number(model: str, task: str, tmp_path: Path) -> None:
    """Validation, logging, checkpoints and their retention read what training writes, and never the other way."""
    found = []
    for log in (1, 100):
        cadence = tuple(f"trainer.{what}_every_steps={log}" for what in ("eval", "log", "save"))
        folder = tmp_path / str(log)
        trainer = make_trainer(model, task, "model.dropout=0.3", "trainer.max_steps=6", *cadence, folder=folder)
        trainer.fit()
        found.append((weights(trainer), torch.get_rng_state(), trainer.progress.tokens))
    for other, state, tokens in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0][0], other, strict=True))
        assert torch.equal(state, found[0][1])
        assert tokens == found[0][2]


def test_sampling_in_between_changes_no_number() -> None:
    class Sampler(Listener):
        def evaluated(self, *arguments: Any) -> None:
            trainer.task.samples(trainer.network, 7)

    found = []
    for listener in (Listener(), Sampler()):
        trainer = make_trainer("lstm", "char_lm", "model.dropout=0.3", "trainer.eval_every_steps=1", listener=listener)
        trainer.fit()
        found.append(weights(trainer))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_deterministic_sets_all_that_cuda_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    config = tiny_config("lstm", "char_lm", "device=cpu")
    try:
        resolve_device(config.device, deterministic=True)
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        resolve_device(config.device, deterministic=False)
        monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
