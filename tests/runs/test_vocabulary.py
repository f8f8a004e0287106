"""A run can be used without its corpus, with the vocabulary of training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import seqlab
from seqlab.core.baseline import BaselineSource
from seqlab.core.example import example_reader
from seqlab.errors import CheckpointError, DataError
from seqlab.runs.run import open_run
from seqlab.runs.train import train
from tests.commands import Capture, Patch, in_process
from tests.conftest import CORPUS_TASKS, on_corpus, tiny_config

TEXT = "a fine film"


@pytest.fixture
def trained(tmp_path: Path, table: Callable[..., Path], monkeypatch: Patch) -> Callable[..., Path]:
    """Trains a task on a user's table; the run stands in here/runs, its corpus in corpus.tsv beside."""
    monkeypatch.chdir(tmp_path)

    def made(task: str) -> Path:
        corpus = on_corpus(task, table("corpus.tsv"))
        config = tiny_config("gru", task, *corpus, "device=cpu", f"runs_dir={tmp_path / 'runs'}")
        return train(config, name="a", checked=True).folder

    return made


def _gone(corpus: Path) -> None:
    corpus.unlink()


def _grown(corpus: Path) -> None:
    new = "".join(f"entirely ÆØÅ {i} words\t{('good', 'poor', 'new')[i % 3]}\n" for i in range(90))
    corpus.write_text(corpus.read_text(encoding="utf-8") + new, encoding="utf-8")


def _another(corpus: Path) -> None:
    corpus.write_text("text\tlabel\n" + "".join(f"x{i}\t{i % 2}\n" for i in range(99)), encoding="utf-8")


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_commands_that_need_no_corpus_work_without_it(
    task: str, trained: Callable[..., Path], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    run, corpus = trained(task), tmp_path / "corpus.tsv"
    kept = corpus.read_bytes()
    words = ("predict", str(run), TEXT, "--json")
    code, before, err = in_process(capsys, monkeypatch, *words)
    assert code == 0, err
    loaded = seqlab.load(run)
    network, built = loaded.network, loaded.task
    read = example_reader(built).example(network, TEXT).batch
    with torch.inference_mode():
        logits = network.eval()(read, network.initial_state(read.size)).logits
    for change in (_gone, _grown, _another):
        corpus.write_bytes(kept)
        change(corpus)
        assert in_process(capsys, monkeypatch, *words)[:2] == (0, before)
        loaded = seqlab.load(run)
        network, restored = loaded.network, loaded.task
        assert list(restored.vocabulary()) == list(built.vocabulary())
        assert restored.longest() == built.longest()
        assert restored.data_sha256 == built.data_sha256
        with torch.inference_mode():
            again = network(
                example_reader(restored).example(network, TEXT).batch, network.initial_state(read.size)
            ).logits
        assert torch.equal(again, logits)
        code, _, err = in_process(capsys, monkeypatch, "inspect", str(run), "states", "--text", TEXT)
        assert code == 0, err
        # what needs it says so
        for command in (
            ("evaluate", str(run)),
            ("inspect", str(run), "states"),
            ("resume", str(run), "trainer.max_steps=6"),
            ("resume", str(run), "--verify"),
        ):
            code, _, err = in_process(capsys, monkeypatch, *command)
            assert code == 3, (command, err)
            assert "corpus" in err
            assert ("--text TEXT" in err) == ("inspect" in command)
        with pytest.raises(DataError, match=r"this needs the corpus of .*runs"):
            next(iter(restored.batches("test", 0)))
        assert isinstance(restored, BaselineSource)
        for needs_it in (restored.baselines, restored.describe):
            with pytest.raises(DataError, match="corpus"):
                list(needs_it())


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_a_restored_task_is_whole_once_its_corpus_is_read(
    task: str, trained: Callable[..., Path], tmp_path: Path
) -> None:
    run = trained(task)
    restored, built = open_run(run), open_run(run)
    vocabulary = json.loads((run / "vocabulary.json").read_text(encoding="utf-8"))["vocabulary"]
    assert json.loads(json.dumps(built.task.stored_vocabulary())) == vocabulary
    fresh = built.config.task.build()
    assert dict(restored.task.describe()) == dict(fresh.describe())
    assert vars(restored.task).keys() - {"_read"} == vars(fresh).keys()
    for split in ("train", "validation", "test"):
        for mine, theirs in zip(restored.task.batches(split, 1), fresh.batches(split, 1), strict=True):
            assert all(
                torch.equal(value, getattr(theirs, name))
                for name, value in vars(mine).items()
                if isinstance(value, torch.Tensor)
            )
    (tmp_path / "corpus.tsv").unlink()  # it is read once
    assert dict(restored.task.describe()) == dict(fresh.describe())


def test_an_older_run_needs_its_corpus_as_before(trained: Callable[..., Path], tmp_path: Path) -> None:
    run = trained(CORPUS_TASKS[0])
    (run / "vocabulary.json").unlink()
    assert seqlab.load(run).predict(TEXT).text
    (tmp_path / "corpus.tsv").unlink()
    with pytest.raises(DataError, match="no such file"):
        _ = open_run(run).task


def _shuffled(vocabulary: dict[str, Any]) -> str:
    tokens = next(value for value in vocabulary["vocabulary"].values() if isinstance(value, list))
    tokens[-1], tokens[-2] = tokens[-2], tokens[-1]
    return json.dumps(vocabulary)


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_a_damaged_vocabulary_is_refused(task: str, trained: Callable[..., Path]) -> None:
    run = trained(task)
    kept = json.loads((run / "vocabulary.json").read_text(encoding="utf-8"))
    for content in (
        "", "{", "null", "[]", "7", "{}", '{"vocabulary": 3}', '{"vocabulary": {}}', _shuffled(kept),
        json.dumps(kept).replace("<pad>", "<pod>"), json.dumps(kept["vocabulary"]),
        json.dumps({**kept, "vocabulary": dict.fromkeys(kept["vocabulary"])}),
    ):  # fmt: skip
        (run / "vocabulary.json").write_text(content, encoding="utf-8")
        with pytest.raises(CheckpointError, match=r"vocabulary\.json"):
            _ = open_run(run).task


def test_an_older_run_gains_its_vocabulary_on_resuming(
    trained: Callable[..., Path], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    run = shutil.copytree(trained(CORPUS_TASKS[0]), tmp_path / "copy")
    (run / "vocabulary.json").unlink()
    code, _, err = in_process(capsys, monkeypatch, "resume", str(run), "trainer.max_steps=6", "--quiet")
    assert code == 0, err
    (tmp_path / "corpus.tsv").unlink()
    assert seqlab.load(run).task.vocabulary()
