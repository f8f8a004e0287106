"""The loop: carried state, clipping, non-finite steps, budgets."""

from __future__ import annotations

import dataclasses
import math
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqlab.checkpoints.retention import checkpoint_path, checkpoints_in
from seqlab.checkpoints.saving import load_checkpoint
from seqlab.checkpoints.trainer_state import capture, restore
from seqlab.core.metric import Criterion, Metric
from seqlab.core.network import Network, StepOutput
from seqlab.core.state import State, detach
from seqlab.data.batches import PairBatch
from seqlab.data.vocabulary import PAD
from seqlab.errors import ConfigError, Interrupted, NumericError, ResourceError
from seqlab.training.device import Device
from seqlab.training.progress import Progress
from seqlab.training.sharing import Sharing
from seqlab.training.trainer import Trainer
from seqlab.training.update import Update
from tests.conftest import TASKS, tiny_config, tiny_network, tiny_task

UNBEATABLE = Criterion((Metric(0.0, "", higher_is_better=False),))
CPU = Device(torch.device("cpu"), "fp32", compile=False)


class Listener:
    """Records what an Observer receives."""

    def __init__(self) -> None:
        self.scalars: list[dict[str, float]] = []
        self.steps: list[int] = []
        self.evaluations: list[int] = []

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        self.scalars.append(scalars)
        self.steps.append(progress.step)

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        self.evaluations.append(progress.step)

    def saving(self, progress: Progress) -> None:
        pass


class Stopper(Listener):
    """A signal that comes in the first step."""

    def __init__(self, trainer: Trainer[Any]) -> None:
        super().__init__()
        self.trainer = trainer

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        self.trainer.stop_signal = 2


def make_trainer(
    model: str, task: str, *overrides: str, folder: Path | None = None, listener: Listener | None = None
) -> Trainer[Any]:
    config = tiny_config(model, task, *overrides)
    torch.manual_seed(5)
    return Trainer(
        tiny_task(config), tiny_network(config), config.optim, config.trainer, CPU, seed=0, folder=folder,
        observers=(listener,) if listener else (),
    )  # fmt: skip


def updated(trainer: Trainer[Any], group: list[Any]) -> tuple[float, float]:
    """(nats, norm) of one update."""
    nats, norm = trainer.update(group, trainer.optim.learning_rate_at(0, trainer.horizon))
    return float(nats), float(norm)


def give(trainer: Trainer[Any], network: Network[Any], learning_rate: float) -> None:
    """Another network in its place."""
    trainer.network = network
    trainer.update = Update(
        Sharing(network), lambda trained: torch.optim.SGD(trained.parameters(), learning_rate), CPU, trainer.config
    )


def scale(trainer: Trainer[Any], by: float) -> None:
    """With the loss scaled as in fp16."""
    trainer.update.scaler = trainer.outcomes.scaler = torch.amp.GradScaler("cpu", init_scale=by)


def weights(trainer: Trainer[Any]) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in trainer.network.parameters()]


class SpyNetwork(Network[Any]):
    """Notes every state it is given; its own state counts the windows read since the last reset."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.given: list[tuple[float, bool]] = []

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        return torch.zeros(rows, 1)

    def forward(self, batch: Any, state: State) -> StepOutput:
        assert isinstance(state, Tensor)
        self.given.append((float(state[0, 0]), state.requires_grad))
        following = state + self.weight
        return StepOutput(following.sum() * 0.0 + self.weight.sum(), following, batch.inputs_BT[..., None].float())


def test_state_is_carried_detached_and_reset_where_the_data_says_so() -> None:
    trainer = make_trainer("lstm", "char_lm", "optim.learning_rate=1e-9", "task.batch_size=3")
    spy = SpyNetwork()
    give(trainer, spy, 1e-9)
    batches = list(trainer.task.batches("train", 0))[:4]
    assert [batch.continues for batch in batches] == [False, True, True, True]
    for batch in [*batches, *batches[:2]]:
        trainer.step([batch])
    assert [round(seen) for seen, _ in spy.given] == [0, 1, 2, 3, 0, 1]
    assert not any(requires_grad for _, requires_grad in spy.given)


def test_the_gradient_stops_at_the_window() -> None:
    """The second window's gradient is that of a loss whose given state is a constant, not a function of weights."""
    trainer = make_trainer(
        "lstm", "char_lm", "trainer.bptt_steps=6", "optim.learning_rate=1e-12", "trainer.clip_norm=null"
    )
    network, batch = trainer.network, next(iter(trainer.task.batches("train", 0)))
    first, second = batch.windows(6)
    trainer.step([first])
    trainer.step([second])
    mine = [p.grad.clone() for p in network.parameters() if p.grad is not None]

    def expected(*, truncated: bool) -> list[Tensor]:
        network.zero_grad()
        state = network(first, network.initial_state(batch.size)).state
        output = network(second, detach(state) if truncated else state)
        (output.loss_sum / second.target_count).backward()
        return [p.grad.clone() for p in network.parameters() if p.grad is not None]

    for a, b in zip(mine, expected(truncated=True), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)
    assert not all(torch.allclose(a, b, rtol=1e-3) for a, b in zip(mine, expected(truncated=False), strict=True))


def test_each_window_with_targets_is_a_step_and_others_only_carry_state() -> None:
    trainer = make_trainer(
        "lstm", "sentiment", "task.bidirectional=false", "trainer.bptt_steps=4", "trainer.max_steps=6"
    )
    groups = trainer.windows.groups(trainer.progress)
    seen = [next(groups) for _ in range(6)]
    assert all(group[-1].target_count > 0 for group in seen)
    assert all(window.target_count == 0 for group in seen for window in group[:-1])
    assert any(len(group) > 1 for group in seen)  # texts longer than one window
    trainer.step(seen[0])
    assert trainer.progress.step == 1


def test_clipping_comes_after_unscaling() -> None:
    """With a scaler the update is the same as without: the norm is that of the true gradient."""

    def after(by: float | None) -> tuple[list[Tensor], float]:
        trainer = make_trainer("gru", "sentiment", "trainer.clip_norm=0.01", "optim=sgd")
        if by is not None:
            scale(trainer, by)
        _, norm = updated(trainer, [next(iter(trainer.task.batches("train", 0)))])
        return weights(trainer), float(norm)

    plain, norm = after(None)
    scaled, scaled_norm = after(4096.0)
    assert norm > 0.01
    assert scaled_norm == pytest.approx(norm, rel=1e-4)
    for a, b in zip(plain, scaled, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


def test_clip_norm_bounds_the_update_and_logs_the_norm_before() -> None:
    trainer = make_trainer("rnn", "char_lm", "trainer.clip_norm=0.001", "optim=sgd", "optim.learning_rate=1.0")
    before = weights(trainer)
    _, norm = updated(trainer, [next(iter(trainer.task.batches("train", 0)))])
    moved = math.sqrt(sum(float((a - b).square().sum()) for a, b in zip(before, weights(trainer), strict=True)))
    assert norm > 0.001
    assert moved == pytest.approx(0.001, rel=1e-2)


def test_clip_value_bounds_every_entry() -> None:
    trainer = make_trainer(
        "rnn",
        "char_lm",
        "trainer.clip_norm=null",
        "trainer.clip_value=1e-5",
        "optim=sgd",
        "optim.learning_rate=1.0",
    )
    before = weights(trainer)
    trainer.step([next(iter(trainer.task.batches("train", 0)))])
    moved = max(float((a - b).abs().max()) for a, b in zip(before, weights(trainer), strict=True))
    assert 0 < moved <= 1.01e-5


@pytest.mark.parametrize(("scaled", "deferred"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize(("value", "norm"), [("1e-3", "0.01"), ("1e-3", "100"), ("10", "0.01"), ("null", "0.01")])
def test_what_clipping_by_value_leaves_is_clipped_by_its_norm(
    scaled: bool, deferred: bool, value: str, norm: str
) -> None:
    """Against the same written out: cut each entry, take the norm of what is left, shorten that."""
    trainer = make_trainer(
        "gru", "char_lm", f"trainer.clip_value={value}", f"trainer.clip_norm={norm}", "optim=sgd",
        "optim.learning_rate=1.0", "optim.schedule=constant",
    )  # fmt: skip
    if scaled:
        scale(trainer, 4096.0)
    trainer.update.guard.deferred = deferred
    batch = next(iter(trainer.task.batches("train", 0)))
    output = trainer.network(batch, trainer.network.initial_state(batch.size))
    raw = torch.autograd.grad(output.loss_sum / batch.target_count, list(trainer.network.parameters()))
    total = math.sqrt(sum(float(g.double().square().sum()) for g in raw))
    cut = raw if value == "null" else [g.clamp(-float(value), float(value)) for g in raw]
    left = math.sqrt(sum(float(g.double().square().sum()) for g in cut))
    assert (value != "1e-3") == math.isclose(left, total)  # entries are cut where the case says so
    share = min(1.0, float(norm) / left)
    before = weights(trainer)
    _, told = updated(trainer, [batch])
    assert float(told) == pytest.approx(total, rel=1e-4)  # what is logged is the norm before any clipping
    for old, new, gradient in zip(before, weights(trainer), cut, strict=True):
        torch.testing.assert_close(new, old - share * gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_gradient_that_is_not_finite_never_reaches_the_weights(scaled: bool) -> None:
    trainer = make_trainer("lstm", "char_lm", "trainer.nonfinite_limit=3")
    if scaled:
        scale(trainer, 8.0)
    batches = list(trainer.task.batches("train", 0))
    trainer.step([batches[0]])
    before = weights(trainer)
    poison = next(iter(trainer.network.parameters())).register_hook(lambda g: g * float("nan"))
    assert trainer.step([batches[1]]) is None
    assert trainer.step([batches[2]]) is None
    assert all(torch.equal(a, b) for a, b in zip(before, weights(trainer), strict=True))
    assert trainer.progress.nonfinite_steps == 2
    ended = trainer.step([batches[3]])
    assert ended is not None
    assert "not finite 3 times in a row, last at step 4 (epoch 1, batch 0)" in ended.what
    poison.remove()
    assert trainer.step([batches[4]]) is None
    assert all(bool(p.isfinite().all()) for p in trainer.network.parameters())
    assert trainer.progress.nonfinite_in_a_row == 0


class _Poison(Listener):
    """Makes the gradient of the chosen steps nan, as a bad batch would."""

    def __init__(self, trainer: Trainer[Any], *steps: int) -> None:
        super().__init__()
        plain = trainer.step

        def step(group: list[Any]) -> NumericError | None:
            if trainer.progress.step + 1 not in steps:
                return plain(group)
            hook = next(trainer.network.parameters()).register_hook(lambda g: g * float("nan"))
            try:
                return plain(group)
            finally:
                hook.remove()

        trainer.step = step  # type: ignore[method-assign]


@pytest.mark.parametrize("model", ["lstm", "transformer"])
@pytest.mark.parametrize("poisoned", [(), (1, 2, 6), (9, 10)])
def test_deferred_reading_changes_nothing(model: str, poisoned: tuple[int, ...]) -> None:
    """The results of a GPU's steps are read only now and then: same weights, moments, state and log lines."""

    def trained(*, deferred: bool) -> tuple[Trainer[Any], Listener]:
        listener = Listener()
        trainer = make_trainer(
            model, "char_lm", "trainer.max_steps=14", "trainer.log_every_steps=4", "trainer.clip_norm=0.5",
            "trainer.eval_every_steps=5", "task.batch_size=3", listener=listener,
        )  # fmt: skip
        _Poison(trainer, *poisoned)
        trainer.update.guard.deferred = deferred
        trainer.fit()
        return trainer, listener

    (now, told_now), (later, told_later) = trained(deferred=False), trained(deferred=True)
    for name, tensor in capture(now)[0].items():
        assert torch.equal(tensor, capture(later)[0][name]), name
    assert told_now.steps == told_later.steps
    for mine, theirs in zip(told_now.scalars, told_later.scalars, strict=True):
        assert {k: v for k, v in mine.items() if "speed" not in k} == {
            k: v for k, v in theirs.items() if "speed" not in k
        }
    progress, other = vars(now.progress), vars(later.progress)
    assert {k: v for k, v in progress.items() if k != "seconds"} == {k: v for k, v in other.items() if k != "seconds"}
    assert now.progress.nonfinite_steps == len(poisoned)


def test_steps_after_the_failed_one_are_counted_and_do_not_change_the_error() -> None:
    """A GPU may have made some more steps before its results are read."""
    trainer = make_trainer(
        "lstm", "char_lm", "trainer.max_steps=9", "trainer.log_every_steps=9", "trainer.nonfinite_limit=3",
        "trainer.eval_every_steps=9",
    )  # fmt: skip
    trainer.update.guard.deferred = True
    _Poison(trainer, 2, 3, 4, 6)
    groups = trainer.windows.groups(trainer.progress)
    ended = [trainer.step(next(groups)) for _ in range(9)]
    assert ended[:8] == [None] * 8
    assert ended[8] is not None
    assert "not finite 3 times in a row, last at step 4" in ended[8].what
    assert trainer.progress.nonfinite_steps == 4
    assert trainer.progress.failed
    assert len(trainer.outcomes.interval.gradient_norms) == 5


class GrowingNetwork(SpyNetwork):
    """Its state starts with nothing and has one more column after each window."""

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        return torch.zeros(rows, 0)

    def forward(self, batch: Any, state: State) -> StepOutput:
        assert isinstance(state, Tensor)
        longer = torch.cat((state, self.weight.expand(batch.size, 1)), 1)
        return StepOutput(self.weight.sum(), longer, batch.inputs_BT[..., None].float())


def test_a_growing_state_is_read_after_each_step() -> None:
    trainer = make_trainer("lstm", "char_lm")
    network = GrowingNetwork()
    give(trainer, network, 1e-9)
    trainer.update.guard.deferred = True
    for group in islice(trainer.windows.groups(trainer.progress), 3):
        assert trainer.step(group) is None
    assert not trainer.update.guard.deferred
    assert isinstance(trainer.update.state, Tensor)
    assert trainer.update.state.shape[1] == 3


def test_saves_by_time_happen_with_deferred_reading_too(tmp_path: Path) -> None:
    listener = Listener()
    trainer = make_trainer(
        "lstm", "char_lm", "trainer.max_steps=5", "trainer.save_every_seconds=1e-9", "trainer.save_every_steps=1000",
        "trainer.log_every_steps=1000", "trainer.eval_every_steps=1000", folder=tmp_path, listener=listener,
    )  # fmt: skip
    trainer.update.guard.deferred = True
    saved: list[tuple[int, int]] = []

    def saving(progress: Progress) -> None:
        saved.append((progress.step, len(trainer.outcomes.waiting)))

    listener.saving = saving  # type: ignore[method-assign]
    trainer.fit()
    assert saved == [(step, 0) for step in (1, 2, 3, 4, 5, 5)]  # the last time with its validation


@pytest.mark.parametrize("end", [("trainer.max_steps=40",), ("trainer.max_steps=null", "trainer.max_epochs=1")])
def test_too_many_non_finite_steps_end_a_run_with_deferred_reading(end: tuple[str, ...], tmp_path: Path) -> None:
    trainer = make_trainer(
        "lstm", "char_lm", *end, "optim.schedule=constant", "trainer.log_every_steps=1000", "trainer.nonfinite_limit=3",
        "trainer.eval_every_steps=1000", "trainer.save_every_steps=1000", folder=tmp_path,
    )  # fmt: skip
    trainer.update.guard.deferred = True
    _Poison(trainer, *range(5, 100_000))
    before: list[Tensor] = []
    plain = trainer.step

    def step(group: list[Any]) -> NumericError | None:
        done = plain(group)
        if trainer.progress.step == 4:
            before.extend(weights(trainer))
        return done

    trainer.step = step  # type: ignore[method-assign]
    with pytest.raises(NumericError, match="not finite 3 times in a row, last at step 7"):
        trainer.fit()
    assert all(torch.equal(a, b) for a, b in zip(before, weights(trainer), strict=True))
    assert checkpoints_in(tmp_path)


def test_on_nonfinite_skip_continues_and_names_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    trainer = make_trainer("lstm", "char_lm", "trainer.max_steps=6")
    _Poison(trainer, 2, 3, 5)
    trainer.fit()
    assert (trainer.progress.step, trainer.progress.nonfinite_steps, trainer.progress.nonfinite_in_a_row) == (6, 3, 0)
    warned = list(dict.fromkeys(r.getMessage() for r in caplog.records if r.levelname == "WARNING"))
    assert len(warned) == 2  # once for each row of them
    assert "at step 2 (epoch 1, batch 2): that batch is skipped; the last finite gradient norm was " in warned[0]


def test_on_nonfinite_stop_saves_the_last_finite_state(tmp_path: Path) -> None:
    trainer = make_trainer("lstm", "char_lm", "trainer.max_steps=6", "trainer.on_nonfinite=stop", folder=tmp_path)
    _Poison(trainer, 3)
    untouched: list[list[Tensor]] = []
    trainer.observers = (_Keeper(trainer, untouched),)
    with pytest.raises(NumericError, match=r"not finite at step 3 \(epoch 1, batch 3\)"):
        trainer.fit()
    assert all(torch.equal(a, b) for a, b in zip(untouched[1], weights(trainer), strict=True))
    resumed = make_trainer("lstm", "char_lm", "trainer.max_steps=6", "trainer.on_nonfinite=stop", folder=tmp_path)
    restore(resumed, load_checkpoint(checkpoints_in(tmp_path)[-1]), "last")
    assert resumed.progress.windows == 3  # it goes on past the batch that failed
    resumed.fit()
    assert resumed.progress.step == 6


class _Keeper(Listener):
    """Keeps the weights after each logged step."""

    def __init__(self, trainer: Trainer[Any], kept: list[list[Tensor]]) -> None:
        super().__init__()
        self.trainer, self.kept = trainer, kept

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        self.kept.append(weights(self.trainer))


class _InfiniteLoss(SpyNetwork):
    """Its loss is infinite, its gradient is not."""

    def forward(self, batch: Any, state: State) -> StepOutput:
        output = super().forward(batch, state)
        return StepOutput(output.loss_sum + float("inf"), output.state, output.logits)


def test_a_loss_that_is_not_finite_moves_no_weight_even_if_its_gradient_is() -> None:
    trainer = make_trainer("lstm", "char_lm")
    network = _InfiniteLoss()
    give(trainer, network, 1.0)
    assert trainer.step([next(iter(trainer.task.batches("train", 0)))]) is None
    assert network.weight.grad is not None
    assert bool(network.weight.grad.isfinite().all())
    assert network.weight.item() == 1.0
    assert trainer.progress.nonfinite_steps == 1


def test_a_settling_loss_scale_gives_no_warning_and_a_collapsing_one_stops() -> None:
    trainer = make_trainer("lstm", "char_lm", "trainer.nonfinite_limit=50", "trainer.on_nonfinite=stop")
    scale(trainer, 4.0)
    _Poison(trainer, *range(2, 50))
    batches = list(trainer.task.batches("train", 0))
    assert [trainer.step([batch]) for batch in batches[:3]] == [None, None, None]
    assert trainer.update.scaler.get_scale() == 1.0
    collapsed = trainer.step([batches[3]])
    assert collapsed is not None
    assert "the loss scale collapsed to 0.5 at step 4" in collapsed.what
    assert collapsed.exit_code == 5


def test_out_of_memory_names_the_batch_and_what_would_help() -> None:
    trainer = make_trainer("lstm", "char_lm")

    def full(*_: Any) -> StepOutput:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 64 bytes")

    trainer.update.sharing.forward = full
    with pytest.raises(
        ResourceError, match=r"out of memory at step 1, with a batch of inputs_BT \(6, 12\)"
    ) as full_memory:
        trainer.step([next(iter(trainer.task.batches("train", 0)))])
    for setting in ("task.batch_size", "task.window", "model.width"):
        assert setting in full_memory.value.hint


def test_accumulating_equals_one_big_batch() -> None:
    """Rows of unequal target counts: a mean of means would fail this."""
    trainer = make_trainer("gru", "translation", "optim=sgd")
    big: PairBatch = next(iter(trainer.task.batches("train", 0)))

    def part(rows: slice) -> PairBatch:
        target_BT = big.target_BT[rows]
        return dataclasses.replace(
            big, source_BS=big.source_BS[rows], target_BT=target_BT, items_B=big.items_B[rows],
            target_count=int((target_BT != PAD).sum()),
        )  # fmt: skip

    halves = [part(slice(0, 1)), part(slice(1, None))]
    assert sum(half.target_count for half in halves) == big.target_count
    nats, _ = updated(trainer, [big])
    other = make_trainer("gru", "translation", "optim=sgd")
    nats_of_halves, _ = updated(other, halves)
    assert nats_of_halves == pytest.approx(nats, rel=1e-5)
    for a, b in zip(weights(trainer), weights(other), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_accumulate_groups_windows() -> None:
    trainer = make_trainer("rnn", "char_lm", "trainer.accumulate=3", "trainer.max_steps=2")
    trainer.fit()
    assert (trainer.progress.step, trainer.progress.windows) == (2, 6)


def test_the_logged_loss_is_a_mean_over_targets_of_the_whole_interval() -> None:
    listener = Listener()
    trainer = make_trainer(
        "rnn", "translation", "trainer.log_every_steps=3", "trainer.max_steps=3", "optim.learning_rate=1e-12",
        listener=listener,
    )  # fmt: skip
    batches = list(trainer.task.batches("train", _first_epoch_seed()))[:3]
    with torch.no_grad():
        nats = sum(float(trainer.network(batch, ()).loss_sum) for batch in batches)
    trainer.fit()
    expected = nats / sum(batch.target_count for batch in batches)
    assert listener.scalars[0]["train/loss"] == pytest.approx(expected, rel=1e-5)


def _first_epoch_seed() -> int:
    from seqlab.training.seeds import stream_seed

    return stream_seed(0, "data order", 0)


def test_evaluation_is_a_mean_over_all_targets() -> None:
    trainer = make_trainer("lstm", "char_lm", "task.eval_batch_size=3")
    other = make_trainer("lstm", "char_lm", "task.eval_batch_size=1")
    metrics, alone = (t.evaluate("validation").compute() for t in (trainer, other))
    # streams side by side, each warmed up on the text before it, against one stream
    assert metrics["loss"].value == pytest.approx(alone["loss"].value, rel=1e-3)
    assert metrics["bits_per_character"].value == pytest.approx(metrics["loss"].value / math.log(2))


def test_budgets_end_training() -> None:
    by_epochs = make_trainer("rnn", "translation", "trainer.max_steps=null", "trainer.max_epochs=2",
                             "optim.schedule=constant")  # fmt: skip
    by_epochs.fit()
    assert by_epochs.progress.epoch == 2
    assert by_epochs.progress.step == 2 * len(list(by_epochs.task.batches("train", 0)))
    by_seconds = make_trainer("rnn", "char_lm", "trainer.max_steps=100000", "trainer.max_seconds=0.05")
    by_seconds.fit()
    assert by_seconds.progress.seconds >= 0.05
    assert by_seconds.progress.step < 100000


def test_patience_ends_training_and_the_best_step_is_kept(tmp_path: Path) -> None:
    listener = Listener()
    trainer = make_trainer(
        "rnn", "char_lm", "optim=sgd", "optim.learning_rate=1e-12", "trainer.max_steps=100", "trainer.patience=3",
        "trainer.eval_every_steps=1", folder=tmp_path, listener=listener,
    )  # fmt: skip
    trainer.progress.best, trainer.progress.best_step = UNBEATABLE, 0
    trainer.fit()
    assert listener.evaluations == [1, 2, 3]


def test_only_the_last_two_checkpoints_and_the_best_stay(tmp_path: Path) -> None:
    trainer = make_trainer("rnn", "char_lm", "trainer.max_steps=6", "trainer.save_every_steps=1",
                           "trainer.eval_every_steps=100", folder=tmp_path)  # fmt: skip
    trainer.progress.best, trainer.progress.best_step = UNBEATABLE, 2
    trainer.fit()
    assert [path.name[-1] for path in checkpoints_in(tmp_path)] == ["2", "5", "6"]
    assert not list(tmp_path.glob(".t*"))


def test_checkpoints_come_by_steps_and_by_seconds(tmp_path: Path) -> None:
    for name, more, expected in (
        ("steps", "trainer.save_every_steps=2", [2, 4, 5]),
        ("seconds", "trainer.save_every_seconds=1e-9", [3, 4, 5]),
    ):
        trainer = make_trainer(
            "rnn", "char_lm", "trainer.max_steps=5", "trainer.eval_every_steps=100", more, folder=tmp_path / name
        )
        trainer.progress.best, trainer.progress.best_step = UNBEATABLE, expected[0]
        trainer.fit()
        assert [int(path.name[5:]) for path in checkpoints_in(tmp_path / name)] == expected


# every model, optimizer and step: benchmarks/reliability, which the slow tests run
@pytest.mark.parametrize("model", ["lstm", "transformer"])
@pytest.mark.parametrize("task", TASKS)
def test_resuming_from_a_checkpoint_equals_an_uninterrupted_run(model: str, task: str, tmp_path: Path) -> None:
    overrides = (
        "model.dropout=0.2",
        "trainer.max_steps=5",
        "trainer.save_every_steps=1",
        "trainer.accumulate=2",
    )
    whole = make_trainer(model, task, *overrides, folder=tmp_path / "whole")
    whole.fit()
    stopped = make_trainer(model, task, *overrides, folder=tmp_path / "stopped")
    stopped.observers = (Stopper(stopped),)
    with pytest.raises(Interrupted) as stop:
        stopped.fit()
    assert stop.value.exit_code == 130
    torch.manual_seed(99)
    resumed = make_trainer(model, task, *overrides, folder=tmp_path / "stopped")
    restore(resumed, load_checkpoint(checkpoint_path(tmp_path / "stopped", 1)), "stopped")
    resumed.fit()
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))
    mine, theirs = dataclasses.asdict(resumed.progress), dataclasses.asdict(whole.progress)
    assert {**mine, "seconds": 0} == {**theirs, "seconds": 0}


def test_impossible_windows_are_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"longer than any sequence of a batch, 12 positions"):
        make_trainer("lstm", "char_lm", "trainer.bptt_steps=13")
    with pytest.raises(ConfigError, match=r"reads each text from its end"):
        make_trainer("lstm", "sentiment", "trainer.bptt_steps=4")
    with pytest.raises(ConfigError, match=r"cannot be cut along time"):
        make_trainer("lstm", "translation", "trainer.bptt_steps=4")
