"""A validation that takes longer than the training between two: when it is timed, and the note on it."""

from __future__ import annotations

import pytest

from seqlab.training.validation_time import ValidationWatch, seconds_per_position, slow_validation
from tests.conftest import tiny_config
from tests.training.test_trainer import make_trainer


def test_a_validation_longer_than_training_names_both_remedies() -> None:
    trainer = tiny_config("rnn", "char_lm", "trainer.max_steps=700", "trainer.eval_every_steps=100").trainer
    said = slow_validation(130.0, 16.0, trainer, lambda share: f"task.eval_characters={round(5e6 * share)}")
    assert said == (
        "a validation takes about 130 s, longer than the 16 s of training between two of them (7 are due); "
        "on a part: task.eval_characters=615385, or less often: trainer.eval_every_steps=700"
    )
    rarely = slow_validation(30.0, 16.0, trainer, lambda _: None)
    assert rarely is not None
    assert rarely.endswith("(7 are due); less often: trainer.eval_every_steps=190")
    assert slow_validation(15.0, 16.0, trainer, lambda _: None) is None
    assert slow_validation(1.0, 0.5, trainer, lambda _: None) is None  # seven seconds in all


def test_one_time_costs_are_not_counted_as_time_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU loads its kernels in the first batch: a validation of a second was said to take nine minutes."""
    trainer, now = make_trainer("lstm", "char_lm"), [0.0]
    monkeypatch.setattr("seqlab.training.validation_time.time.perf_counter", lambda: now[0])

    def take(*_: object) -> None:
        now[0] += 30.0 if now[0] == 0 else 0.5

    trainer.network.register_forward_hook(take)
    first, second, *_ = trainer.task.validation_batches()
    assert first.positions == second.positions
    assert seconds_per_position(trainer, 0.4) == pytest.approx(0.5 / second.positions)
    now[0] = 0.0
    monkeypatch.setattr(trainer.task, "validation_batches", lambda: iter([first]))  # there is nothing else to go by
    assert seconds_per_position(trainer, 0.4) == pytest.approx(30.0 / first.positions)


@pytest.mark.parametrize(("log", "every", "line"), [(2, 100, 4), (2, 4, 4), (2, 3, 2), (2, 2, 2), (3, 2, None)])
def test_a_validation_is_timed_at_the_second_line_or_before_it_is_made(
    log: int, every: int, line: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first line holds what happens once, and serves where no other comes in time."""
    trainer = make_trainer("lstm", "char_lm", f"trainer.log_every_steps={log}", f"trainer.eval_every_steps={every}")
    timed: list[int] = []

    def timing(*_: object) -> float:
        timed.append(trainer.progress.step)
        return 0.0

    monkeypatch.setattr("seqlab.training.validation_time.seconds_per_position", timing)
    trainer.observers = (ValidationWatch(trainer, lambda _: None),)
    trainer.fit()
    assert timed == ([] if line is None else [line])
