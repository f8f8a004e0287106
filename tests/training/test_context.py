"""After training, no model reads positions that training did not reach."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor

from seqlab import load
from seqlab.cli.display import Terminal
from seqlab.config.run import RunConfig
from seqlab.core.example import example_reader
from seqlab.core.model import Memory, context_of, sequence_models
from seqlab.core.prediction import GenerationConfig, predictor
from seqlab.core.state import State
from seqlab.core.task import Task
from seqlab.models.transformer import Transformer
from seqlab.runs.inspect import VIEWS
from seqlab.runs.resume import resume
from seqlab.runs.setup import new_network
from seqlab.runs.train import train
from seqlab.runs.variants import label_runs
from seqlab.training.context import shortened
from seqlab.training.device import resolve_device
from seqlab.training.validation import evaluate
from tests.conftest import MODELS, TASKS, has_setting, on_corpus, tiny_config, tiny_network, tiny_task


class Spy:
    """The last position, counted from 1, that a Transformer was asked for: in training and elsewhere, by its role."""

    def __init__(self) -> None:
        self.trained: dict[bool, int] = {}
        self.asked: dict[bool, int] = {}

    def note(self, model: Transformer, end: int) -> None:
        block: Any = model.blocks[0]
        noted, decodes = self.trained if model.training else self.asked, bool(block.attention.causal)
        noted[decodes] = max(noted.get(decodes, 0), end)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    watching, plain = Spy(), Transformer._blocks

    def blocks(
        self: Transformer, x_BTD: Tensor, caches: State, start: int, valid_BT: Tensor | None, memory: Memory | None
    ) -> tuple[Tensor, State]:
        watching.note(self, start + x_BTD.shape[1])
        return plain(self, x_BTD, caches, start, valid_BT, memory)

    monkeypatch.setattr(Transformer, "_blocks", blocks)
    # which examines a network of its own, before anything is trained
    monkeypatch.setattr("seqlab.runs.setup.check_before_training", lambda *_: None)
    return watching


@pytest.mark.parametrize(("positions", "bptt"), [("learned", 1), ("sinusoidal", 5), ("rope", 12)])
def test_no_position_beyond_the_training_window_is_ever_read(
    spy: Spy, tmp_path: Path, capsys: pytest.CaptureFixture[str], positions: str, bptt: int
) -> None:
    """Validation, samples, pictures, test, evaluate, inspect with a long text, writing and resume: of a window of 12
    characters that training cuts, none sees more than a piece."""
    config = tiny_config(
        "transformer", "char_lm", "device=cpu", f"model.positions={positions}", f"trainer.bptt_steps={bptt}",
        f"runs_dir={tmp_path}", "trainer.log_pictures=true", "trainer.save_every_steps=2",
    )  # fmt: skip
    console = Console(stderr=True, width=200)
    folder = train(config, Terminal(console), name="a").folder
    told = "training reaches" in capsys.readouterr().err
    assert told == (bptt < 12)
    load(folder).evaluate()
    run = load(folder)
    run.predict("The quick brown fox jumps over", length=30)
    subjects = label_runs([load(folder)])
    for view in ("memory", "states", "attention", *(("gradient",) if bptt > 1 else ())):
        assert VIEWS[view](subjects, None)
    (long,) = VIEWS["states"](subjects, "x" * 40)
    assert f"The last {40 - bptt} tokens of the text are not read" in long.about
    resume(folder, ["trainer.max_steps=6"], Terminal(console, quiet=True))
    assert spy.trained == {True: bptt}
    assert spy.asked == {True: bptt}


def test_evaluation_with_bptt_steps_equals_that_with_such_windows(corpus: Path) -> None:
    """With the same weights: what is seen of a text does not depend on the window that was cut."""

    def loss(*overrides: str) -> float:
        text = on_corpus("char_lm", corpus)
        config = tiny_config("transformer", "char_lm", "device=cpu", *text, *overrides)
        task = tiny_task(config)
        torch.manual_seed(3)
        network = new_network(config, task)
        with torch.no_grad():
            for parameter in network.parameters():  # that positions matter
                parameter.mul_(2)
        whole = tiny_task(tiny_config("transformer", "char_lm", *text, "task.window=4", "task.eval_batch_size=1"))
        device = resolve_device(config.device, deterministic=False)
        return evaluate(network, whole.batches("test", 0), whole.meter("test"), device).compute()["loss"].value

    assert loss("trainer.bptt_steps=4") == pytest.approx(loss("task.window=4"), rel=1e-5)
    assert loss() != pytest.approx(loss("task.window=4"), rel=1e-4)  # a longer cache is another model


def test_models_that_carry_a_state_are_not_limited() -> None:
    config = tiny_config("lstm", "char_lm", "trainer.bptt_steps=5")
    task = tiny_task(config)
    network = new_network(config, task)
    assert context_of(network) is None
    assert len(example_reader(task).example(network, "x" * 40).tokens) == 40


def _sentiment(tmp_path: Path, model: str, *overrides: str) -> tuple[RunConfig, Task[Any]]:
    """A corpus whose only long text stands in the test split."""
    path = tmp_path / "texts.csv"
    rows = [f"w{i} is {'good' if i % 2 else 'bad'},{'pos' if i % 2 else 'neg'}" for i in range(60)]
    path.write_text("\n".join(("text,label", *rows, f"{'very ' * 30}good,pos\n")), encoding="utf-8")
    for seed in range(40):
        config = tiny_config(model, "sentiment", f"task.corpus={path}", f"task.split_seed={seed}", *overrides)
        task = config.task.build()
        longest = {split: max(b.tokens_BT.shape[1] for b in task.batches(split, 0)) for split in ("train", "test")}
        if longest["train"] < longest["test"]:
            return config, task
    raise AssertionError("no split with the long text in test")


@pytest.mark.parametrize("bidirectional", ["true", "false"])
def test_a_text_longer_than_any_of_training_is_cut(spy: Spy, tmp_path: Path, bidirectional: str) -> None:
    config, task = _sentiment(tmp_path, "transformer", f"task.bidirectional={bidirectional}")
    network = new_network(config, task)
    network.train()
    for batch in task.batches("train", 0):
        network(batch, network.initial_state(batch.size))
    device = resolve_device(replace(config.device, type="cpu"), deterministic=False)
    evaluate(network, task.batches("test", 0), task.meter("test"), device)
    predictor(task).predict(network, "very " * 50, GenerationConfig())
    example = example_reader(task).example(network, "very " * 50)
    assert spy.asked == spy.trained
    assert (len(example.tokens), example.truncated) == (4, 46)


def test_a_recurrent_model_reads_longer_texts_whole(tmp_path: Path) -> None:
    config, task = _sentiment(tmp_path, "gru")
    network = new_network(config, task)
    network.eval()
    (text, other), device = (f"{'very ' * 30}{end}" for end in ("good", "bad")), torch.device("cpu")
    said, changed = (
        predictor(task).predict(network.to(device), one, GenerationConfig()).details for one in (text, other)
    )
    assert said["probabilities"] != changed["probabilities"]  # its last word counts


def test_sources_and_translations_are_no_longer_than_those_of_training(spy: Spy, tmp_path: Path) -> None:
    path, test = tmp_path / "pairs.tsv", tmp_path / "test.tsv"
    path.write_text("".join(f"n {i}\tnum {i}\n" for i in range(100, 160)), encoding="utf-8")
    test.write_text(f"n {'9' * 30}\tnum {'9' * 40}\nn 7\tnum 7\n", encoding="utf-8")
    config = tiny_config("transformer", "translation", f"task.corpus={path}", f"task.test_corpus={test}")
    task = config.task.build()
    network = new_network(config, task)
    network.train()
    for batch in task.batches("train", 0):
        network(batch, network.initial_state(batch.size))
    assert spy.trained == {False: 5, True: 8}
    device = resolve_device(replace(config.device, type="cpu"), deterministic=False)
    meter = evaluate(network, task.batches("test", 0), task.meter("test"), device)
    assert meter.compute()["loss"].value > 0
    for beams in (1, 3):
        predictor(task).predict(network, "n 123456789012345", GenerationConfig(beams=beams))
    example = example_reader(task).example(network, "n 123456789012345")
    assert (example.tokens, example.truncated) == (tuple("n 123"), 12)
    assert spy.asked == {False: 5, True: 8}


def test_stored_runs_are_limited_by_their_config(tmp_path: Path) -> None:
    """Also runs that were trained before contexts were limited: the limit is not stored."""
    config = tiny_config(
        "transformer", "char_lm", "device=cpu", "trainer.bptt_steps=4", f"runs_dir={tmp_path}", "trainer.max_steps=1"
    )
    folder = train(config, name="a", checked=True).folder
    assert "context: 512" in (folder / "config.yaml").read_text(encoding="utf-8")
    assert context_of(load(folder).network) == 4
    assert context_of(tiny_network(config)) == 512


def _unseen(model: str, task_name: str, *overrides: str) -> list[str]:
    """The notes on a receptive field that is shorter than sequences of 40 positions or more."""
    longer = next(f"{key}=40" for key in ("task.length", "task.window") if has_setting(key, task=task_name))
    config = tiny_config(model, task_name, longer, *overrides)
    task = tiny_task(config)
    return [note for note in shortened(new_network(config, task), task, config.model) if "an output depends on" in note]


@pytest.mark.parametrize("task", ["char_lm", *(task for task in TASKS if has_setting("task.length", task=task))])
@pytest.mark.parametrize("model", MODELS)
def test_a_receptive_field_that_is_shorter_than_the_sequences_is_told_with_the_remedy(model: str, task: str) -> None:
    """The remedy is enough, and nothing less is."""
    network = tiny_network(tiny_config(model, task))
    fields = {part.receptive_field for _, part in sequence_models(network)}
    notes = _unseen(model, task)
    assert len(notes) == (fields != {None})
    for note in notes:
        assert str(*fields) in note
        told = re.search(r"; (\S+)=(\d+) reaches it", note)
        assert told is not None
        assert _unseen(model, task, f"{told[1]}={told[2]}") == []
        assert _unseen(model, task, f"{told[1]}={int(told[2]) - 1}")


def test_training_says_so_on_the_terminal_and_in_its_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = next(model for model in MODELS if _unseen(model, "char_lm"))
    config = tiny_config(
        model, "char_lm", "device=cpu", "task.window=40", f"runs_dir={tmp_path}", "trainer.max_steps=1"
    )
    folder = train(config, Terminal(Console(stderr=True, width=200)), name="a", checked=True).folder
    (note,) = _unseen(model, "char_lm")
    assert note in capsys.readouterr().err
    assert note in (folder / "train.log").read_text(encoding="utf-8")


def test_of_one_tap_no_number_of_layers_sees_more() -> None:
    model = next(model for model in MODELS if has_setting("model.kernel", model=model))
    (note,) = _unseen(model, "char_lm", "model.kernel=1")
    assert "depends on 1 positions" in note
    assert "reaches" not in note
