"""No model that breaks a contract is trained, by any command; all that ships with seqlab meets the contracts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seqlab.config.overrides import spelled
from seqlab.contracts.check import check_before_training
from seqlab.core.model import Role
from seqlab.errors import ConfigError
from seqlab.executors.job import Job
from seqlab.runs.catalogue import flat
from seqlab.runs.setup import build_network, prepare
from seqlab.training.device import Device
from seqlab.training.seeds import random_states
from tests.commands import Capture, Patch, in_process, run
from tests.conftest import (
    MODELS,
    PAIRS,
    ROLES,
    TASKS,
    causal_overrides,
    has_setting,
    tiny_config,
    tiny_overrides,
    tiny_task,
)
from tests.contracts import zoo
from tests.contracts.test_causality import FUTURE

YAML = """# @package _global_
# A leaking model
model:
  _target_: my_zoo.ZooConfig
  width: 16
  dropout: 0.0
  tie_embeddings: true
  kind: Future
  size: 1
"""
CPU = Device(torch.device("cpu"), "fp32", compile=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """configs/model/zoo.yaml, with the zoo as a user's own module beside configs/."""
    root = tmp_path_factory.mktemp("zoo")
    (root / "my_zoo.py").write_text(Path(zoo.__file__).read_text())
    (root / "configs" / "model").mkdir(parents=True)
    (root / "configs" / "model" / "zoo.yaml").write_text(YAML)
    return root / "configs"


LEAKS = dict.fromkeys(name for name, _ in FUTURE)


@pytest.mark.parametrize("kind", LEAKS)
def test_train_refuses_every_leak(kind: str, folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    words = [o for o in tiny_overrides("rnn", "char_lm") if not o.startswith("model")]
    words += ["model=zoo", f"model.kind={kind}", "model.size=3", f"runs_dir={tmp_path / 'runs'}"]
    code, out, said = in_process(capsys, monkeypatch, "train", *words, "--config-dir", str(folder))
    assert (code, out) == (2, "")
    assert said.startswith("error: model=zoo as a decoder sees the future: its output at position ")
    assert len(said.splitlines()) <= 3
    assert not (tmp_path / "runs").exists()


def test_train_and_compare_refuse_one_wherever_they_run(
    folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    """`train` in a process of its own."""
    words = [*(o for o in tiny_overrides("rnn", "char_lm") if not o.startswith("model")), "--config-dir", str(folder)]
    done = run("train", "model=zoo", *words, cwd=tmp_path)
    monkeypatch.chdir(tmp_path)
    compared, _, said = in_process(capsys, monkeypatch, "compare", "rnn", "zoo", *words, "--seeds", "2")
    assert (done.returncode, compared) == (2, 2)
    for error in (done.stderr, said):
        assert "sees the future: its output at position 0 depends on the input at position 1" in error
    assert not list(tmp_path.rglob("result.json"))


def test_the_runs_of_a_comparison_leave_it_to_its_plan(
    folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    """A model is checked once there (above), not again by each of its runs, new or resumed."""
    words = [o for o in tiny_overrides("rnn", "char_lm") if not o.startswith("model")]
    leak = ("model=zoo", "model.kind=Future", *words)
    made = Job("zoo", 0, tmp_path / "run", leak, folder).command()
    monkeypatch.chdir(tmp_path)
    assert in_process(capsys, monkeypatch, *made[made.index("seqlab") + 1 :])[0] == 0  # nobody looked
    (tmp_path / "run" / "result.json").unlink()
    assert in_process(capsys, monkeypatch, *made[made.index("seqlab") + 1 :])[0] == 0  # nor when it goes on
    by_hand = ["resume", str(tmp_path / "run"), "trainer.max_steps=6", "--config-dir", str(folder)]
    code, _, said = in_process(capsys, monkeypatch, *by_hand)
    assert code == 2
    assert "sees the future" in said


def test_an_existing_run_that_breaks_a_contract_is_not_compared(
    folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    words = [o for o in tiny_overrides("rnn", "char_lm") if not o.startswith("model")] + [f"runs_dir={tmp_path}"]
    honest = ["train", "model=zoo", "model.kind=Causal", *words, "--config-dir", str(folder), "--name", "a", "-q"]
    assert in_process(capsys, monkeypatch, *honest)[0] == 0
    run = tmp_path / "char_lm" / "zoo" / "a"
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("kind: Causal", "kind: Future"))
    monkeypatch.chdir(tmp_path)
    code, _, said = in_process(
        capsys, monkeypatch, "compare", "rnn", str(run), *words[:-1], "--config-dir", str(folder)
    )
    assert code == 2
    assert "model=zoo as a decoder sees the future" in said


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_protected(task: str) -> None:
    """Where a task uses a model causally: as the decoder of a translation, or for texts that are read once."""
    config = tiny_config("rnn", task, *causal_overrides(task))
    leak = zoo.ZooConfig(width=16, dropout=0.0, tie_embeddings=True, kind="Centred")
    with pytest.raises(ConfigError, match="sees the future"):
        check_before_training(tiny_task(config), leak, "model=leak")


OPTIONS = {
    "model.tie_embeddings": ("true", "false"),
    "model.layer_norm": ("true",),
    "model.cell_norm": ("true",),
    "model.attention": ("none", "additive", "dot"),
    "model.positions": ("sinusoidal", "learned", "rope", "none"),
    "model.dropout": ("0.5",),
    "task.bidirectional": ("true", "false"),
    "task.pooling": ("mean", "last"),
    "task.tokens": ("word", "bpe"),
}


def _forms() -> list[tuple[str, str, str]]:
    """Each option of each model in each role, and each option of a task in each of its pairs, but those that it has
    by default: with these, every model is checked on every task by test_every_pair."""
    pairs = {"model": [(model, task) for model in MODELS for task in ROLES], "task": PAIRS}
    return [
        (model, task, f"{key}={value}")
        for key, values in OPTIONS.items()
        for model, task in pairs[key.partition(".")[0]]
        if has_setting(key, model, task)
        for value in values
        if value != spelled(flat(tiny_config(model, task).tree)[key])
    ]


@pytest.mark.parametrize(("model", "task", "option"), _forms())
def test_shipped_models_are_never_refused(model: str, task: str, option: str) -> None:
    config = tiny_config(model, task, option)
    check_before_training(tiny_task(config), config.model, f"model={model}")


@pytest.mark.parametrize("model", MODELS)
def test_checking_changes_nothing_in_training(model: str) -> None:
    """The same weights and generators as without."""
    config = tiny_config(model, "char_lm", "model.dropout=0.3")
    task = tiny_task(config)
    unseen = build_network(config, task, CPU)
    generators = random_states("cpu")
    _, seen = prepare(config, CPU, task)
    for before, after in zip(generators, random_states("cpu"), strict=True):
        for name, value in before.items():
            if value is None:
                assert after[name] is None
                continue
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(after[name])), name
    for a, b in zip(unseen.parameters(), seen.parameters(), strict=True):
        assert torch.equal(a, b)
    assert seen.training


def test_a_model_that_only_encodes_may_see_everything() -> None:
    config = tiny_config("rnn", "sentiment", "task.bidirectional=true")
    centred = zoo.ZooConfig(width=16, dropout=0.0, tie_embeddings=True, encoder="MaskedCentred")
    assert isinstance(centred.build(Role.ENCODER), zoo.Centred)
    check_before_training(tiny_task(config), centred, "model=centred")
