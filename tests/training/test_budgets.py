"""Budgets with surprising effects are noted once, at the start, with the remedy."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console

from seqlab.cli.display import Terminal
from seqlab.cli.report import show_dry_run
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.request import read_request
from seqlab.comparison.resolve_plan import resolve_plan
from seqlab.config.run import load_run_config
from seqlab.runs.dry_run import dry_run
from seqlab.runs.resume import resume
from seqlab.runs.setup import budgets
from seqlab.runs.train import train
from seqlab.tasks.char_lm import CharLM, CharLMConfig
from seqlab.training.windows import steps_in
from tests.conftest import tiny_config, tiny_network, tiny_overrides, tiny_task
from tests.training.test_trainer import Listener, make_trainer


def _notes(*overrides: str) -> list[str]:
    config = tiny_config("rnn", "translation", *overrides)
    return budgets(config, tiny_task(config), tiny_network(config))


def test_unreachable_epochs_are_noted() -> None:
    config = tiny_config("rnn", "translation")
    steps = steps_in(20, tiny_task(config), tiny_network(config), None, 1)
    assert steps == 20 * len(list(tiny_task(config).batches("train", 0)))
    (said,) = _notes("trainer.max_epochs=20", f"trainer.max_steps={steps // 4}", "optim.schedule=constant")
    assert said == (
        f"trainer.max_steps={steps // 4} ends training in epoch 5 of trainer.max_epochs=20; "
        f"for all of them: trainer.max_steps={steps}"
    )
    assert _notes("trainer.max_epochs=20", f"trainer.max_steps={steps}", "optim.schedule=constant") == []
    assert _notes("trainer.max_epochs=20", "trainer.max_steps=null", "optim.schedule=constant") == []
    # several windows a step make fewer steps of an epoch
    assert steps_in(20, tiny_task(config), tiny_network(config), None, 7) == -(-steps // 7)


def test_a_warm_up_as_long_as_training_is_noted() -> None:
    constant = "optim.schedule=constant"
    assert _notes(constant, "trainer.max_steps=40", "optim.warmup_steps=39") == []
    (said,) = _notes(constant, "trainer.max_steps=40", "optim.warmup_steps=40")
    assert said == (
        "the learning rate is still being warmed up when training ends at step 40: optim.warmup_steps=40; "
        "try optim.warmup_steps=4"
    )


def test_the_steps_of_epochs_are_those_that_training_makes() -> None:
    words = (
        "trainer.max_epochs=2",
        "trainer.accumulate=3",
        "optim.schedule=constant",
        "trainer.eval_every_steps=10000",
    )
    for model, task in (("rnn", "translation"), ("lstm", "sentiment")):
        trainer = make_trainer(model, task, "trainer.max_steps=null", *words)
        windows = sum(len(group) for group in trainer.windows.groups(trainer.progress))
        expected = steps_in(2, trainer.task, trainer.network, None, 3)
        assert expected == -(-windows // 3)


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (("trainer.patience=3",), "trainer.patience=3 may end training before the learning rate has decayed"),
        (("trainer.max_seconds=60",), "trainer.max_seconds=60 may end training before the learning rate"),
        (("trainer.max_seconds=60", "trainer.patience=3"), "trainer.max_seconds=60 or trainer.patience=3 may end"),
        (("optim.horizon_steps=500",), "training ends at step 100, before the learning rate has decayed"),
        (("optim.horizon_steps=500",), "try optim.horizon_steps=100"),
        (("trainer.max_epochs=1",), "try optim.horizon_steps="),
    ],
)
def test_a_schedule_that_may_not_end_is_noted(given: tuple[str, ...], part: str) -> None:
    (said,) = _notes("trainer.max_steps=100", *given, "optim.schedule=cosine")
    assert part in said
    assert "optim.schedule=cosine ends at step" in said
    if given != ("optim.horizon_steps=500",):  # it is of no importance to a rate that does not decay
        assert _notes("trainer.max_steps=100", *given, "optim.schedule=constant") == []


def test_ordinary_budgets_give_no_notes() -> None:
    assert _notes("trainer.max_steps=100") == []
    assert _notes("trainer.max_steps=100", "optim.schedule=inverse_sqrt", "trainer.patience=3") == []


@pytest.fixture
def long_text(tmp_path: Path) -> Path:
    """A text whose validation takes several hundred times as long as the training between two."""
    path = tmp_path / "long.txt"
    letters = torch.randint(97, 123, (12_000,), generator=torch.Generator().manual_seed(0)).tolist()
    path.write_text(bytes(letters).decode(), encoding="utf-8")
    return path


def _words(long_text: Path, *more: str) -> list[str]:
    return tiny_overrides(
        "rnn", "char_lm", f"task.corpus={long_text}", "task.train_share=0.4", "task.validation_share=0.5", "device=cpu",
        "trainer.eval_every_steps=2", "trainer.max_steps=4", "trainer.max_epochs=3", "task.eval_batch_size=4", *more,
    )  # fmt: skip


def test_notes_on_budgets_are_shown_at_the_start_of_a_run_and_in_plans(
    long_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("seqlab.training.validation_time._NOTICED_SECONDS", 0.0)
    config = load_run_config(_words(long_text))
    told, planned, again = (Console(file=io.StringIO(), width=400) for _ in range(3))
    train(config, Terminal(told), folder=Path("made"))
    lines = _said(told)
    epochs = [line for line in lines if "of trainer.max_epochs=3" in line]
    slow = [line for line in lines if "a validation takes about" in line and "task.eval_characters=" in line]
    assert (len(epochs), len(slow)) == (1, 1)
    assert lines.index(epochs[0]) < lines.index(slow[0]) < min(i for i, s in enumerate(lines) if "step 2: val" in s)
    assert "a validation takes about" in Path("made/train.log").read_text(encoding="utf-8")
    resume(Path("made"), ["trainer.max_steps=6"], Terminal(again))
    assert not [line for line in _said(again) if "takes about" in line or "max_epochs" in line]
    show_dry_run(dry_run(config), planned)
    assert [line for line in _said(planned) if "of trainer.max_epochs=3" in line]
    request = read_request(["rnn", *_words(long_text)[1:]], seeds=1)
    parsed, configs = parse_plan(request, None)
    notes = resolve_plan(parsed, request, configs, None).notes
    assert sum("of trainer.max_epochs=3" in note for note in notes) == 1
    assert sum("rnn: a validation takes about" in note for note in notes) == 1


def _said(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_long_validation_is_bounded_by_default(tmp_path: Path) -> None:
    path = tmp_path / "longer.txt"
    path.write_text("to be, or not\n" * 90_000, encoding="utf-8")
    shares = ["task.train_share=0.4", "task.validation_share=0.5", "task.eval_batch_size=64", "task.window=512"]
    task = load_run_config([f"task.corpus={path}", *shares]).task.build()
    whole = sum(batch.target_count for batch in task.batches("validation", 0))
    part = sum(batch.target_count for batch in task.validation_batches())
    assert whole > 600_000
    assert 450_000 < part <= 500_000
    assert task.describe()["of validation in training"] == 500_000
    shorter = task.shorter_validation(0.5)
    assert shorter == "task.eval_characters=250000"


def test_a_part_of_validation_is_read_in_training_and_all_of_it_at_the_end(long_text: Path, tmp_path: Path) -> None:
    overrides = _words(long_text, "task.eval_characters=2000")[2:]
    heard = Listener()
    trainer = make_trainer("rnn", "char_lm", *overrides, folder=tmp_path / "run", listener=heard)
    task = trainer.task
    assert isinstance(task, CharLM)
    part = list(task.validation_batches())
    read = sum(batch.target_count for batch in part)
    assert 1900 < read <= 2000
    assert sum(batch.target_count for batch in task.batches("validation", 0)) == len(task.ids["validation"]) - 1
    # evenly spread: each of the four streams has its share
    rows = torch.stack([(batch.targets_BT >= 0).sum(1) for batch in part]).sum(0)
    assert rows.min() > 400
    assert task.describe()["of validation in training"] == 2000
    seen: list[int] = []
    plain = task.meter

    def meter(split):  # type: ignore[no-untyped-def]
        made = plain(split)
        update = made.update

        def counted(batch, output, network):  # type: ignore[no-untyped-def]
            seen.append(batch.target_count)
            update(batch, output, network)

        made.update = counted  # type: ignore[method-assign]
        return made

    task.meter = meter  # type: ignore[method-assign]
    try:
        trainer.fit()
        assert heard.evaluations == [2, 4]
        assert sum(seen) == 2 * read
        seen.clear()
        trainer.evaluate("validation")
    finally:
        del task.meter
    assert sum(seen) == len(task.ids["validation"]) - 1


def test_a_part_has_a_window_of_each_stream_at_least() -> None:
    fewest = tiny_config("rnn", "char_lm", "task.eval_characters=50", "task.eval_batch_size=4").task
    assert isinstance(fewest, CharLMConfig)
    assert fewest.validated_tokens == 60
    task = fewest.build()
    assert task.shorter_validation(0.001) == "task.eval_characters=60"


def test_truncated_runs_get_a_note_on_budgets_with_the_remedy() -> None:
    def said(*overrides: str) -> list[str]:
        config = tiny_config("rnn", "char_lm", *overrides)
        return budgets(config, tiny_task(config), tiny_network(config))

    longest = tiny_task(tiny_config("rnn", "char_lm")).longest()
    bptt = f"trainer.bptt_steps={longest // 4}"
    windows = -(-longest // (longest // 4))
    assert said() == said(bptt, f"trainer.accumulate={windows}")
    (note,) = (text for text in said(bptt) if "bptt_steps" in text)
    one_target = tiny_config("rnn", "adding", bptt)  # at its end: a batch is one update, however it is cut
    assert budgets(one_target, tiny_task(one_target), tiny_network(one_target)) == []
    assert note.startswith(f"{bptt} makes up to {windows} updates of a batch")
    assert note.endswith(f"trainer.accumulate={windows}")
    ends = ("model=", "trainer.max_steps", "trainer.eval_every_steps")  # a budget says itself when to stop
    words = [word for word in tiny_overrides("rnn", "char_lm") if not word.startswith(ends)]

    def noted(*models: str) -> tuple[str, ...]:
        request = read_request([*words, *models], seeds=1, budget="2000tokens")
        plan, configs = parse_plan(request, None)
        return resolve_plan(plan, request, configs, None).notes

    assert f"cut: {note}" in noted("rnn", f"cut: rnn {bptt}")
    assert not [text for text in noted(bptt, "rnn", "wide: rnn model.width=20") if note in text]  # all are cut alike
