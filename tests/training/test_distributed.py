"""Several processes that train one network: the same data, gradients and decisions as one process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab.core.network import StepOutput
from seqlab.errors import ConfigError, Interrupted
from seqlab.runs.setup import prepare
from seqlab.training.device import Device, DeviceConfig, check_places
from seqlab.training.progress import Progress
from seqlab.training.trainer import Trainer
from seqlab.training.world import World
from tests.conftest import tiny_config
from tests.training.ranks import Read, in_processes, together

# A constant rate, so that runs of other lengths go through the same steps. Not Adam, which makes steps of rounding
# errors where the gradient is 0, as that of an attention's key biases is.
_PLAIN = ("optim=sgd", "optim.learning_rate=0.1", "optim.schedule=constant", "trainer.eval_every_steps=3")


@pytest.mark.parametrize(
    ("model", "task", "count", "overrides"),
    [
        ("lstm", "char_lm", 2, ("task.batch_size=5",)),
        ("transformer", "translation", 3, ("trainer.clip_norm=0.1",)),
        # truncated, accumulated, and windows in which no row of a process has a target
        ("gru", "sentiment", 2, ("task.bidirectional=false", "trainer.bptt_steps=4", "trainer.accumulate=2")),
    ],
)
def test_they_read_the_same_rows_and_learn_the_same(
    model: str, task: str, count: int, overrides: tuple[str, ...]
) -> None:
    """The gradient is that of the mean over all targets, however unevenly rows and targets are divided."""

    def work(world: World) -> tuple[Any, ...]:
        read = Read(world, model, task, "trainer.max_steps=6", *overrides, *_PLAIN)
        logged: list[float] = []
        if world.rank == 0:
            read.trainer.observers = (_Losses(logged),)
        read.trainer.fit()
        progress = replace(read.trainer.progress, seconds=0.0)
        return read.rows, [weight.numpy() for weight in read.weights()], progress, logged

    ((rows, weights, progress, losses),) = in_processes(1, work)
    parts = in_processes(count, work)
    assert together([part[0] for part in parts]) == rows
    for part in parts:
        for mine, theirs, first in zip(part[1], weights, parts[0][1], strict=True):
            assert mine.tobytes() == first.tobytes()
            assert abs(mine - theirs).max() < 1e-5
        assert (part[2].step, part[2].tokens, part[2].epoch) == (progress.step, progress.tokens, progress.epoch)
        assert part[2].best is not None
        assert part[2].best.metrics[-1].value == pytest.approx(progress.best.metrics[-1].value, rel=1e-6)
    assert parts[0][3] == pytest.approx(losses, rel=1e-6)


class _Losses:
    """Notes the loss of each log line."""

    def __init__(self, losses: list[float]) -> None:
        self.losses = losses

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        self.losses.append(scalars["train/loss"])

    def evaluated(self, *_: Any) -> None:
        pass

    def saving(self, progress: Progress) -> None:
        pass


def test_a_batch_with_fewer_rows_than_processes_counts_each_row_once() -> None:
    def work(world: World) -> Any:
        overrides = ("task.train_size=16", "task.batch_size=3", "trainer.max_steps=7", *_PLAIN)
        read = Read(world, "lstm", "adding", *overrides)
        read.trainer.fit()
        return read.rows, [weight.numpy() for weight in read.weights()]

    ((rows, weights),), parts = in_processes(1, work), in_processes(2, work)
    assert [len(window) for window in rows] == [3, 3, 3, 3, 3, 1, 3]
    assert [len(window) for window in together([part[0] for part in parts])] == [3, 3, 3, 3, 3, 2, 3]
    assert all(abs(mine - theirs).max() < 1e-6 for mine, theirs in zip(parts[0][1], weights, strict=True))


@pytest.mark.parametrize("count", [2, 3])
def test_a_resumed_run_has_the_same_bits(count: int, tmp_path: Path) -> None:
    """Also with dropout, whose generators differ from process to process, and with three processes, where the order of
    adding up matters."""

    def steps(most: int, folder: Path) -> Callable[[World], Any]:
        def work(world: World) -> Any:
            limits = (
                "model.dropout=0.3",
                f"trainer.max_steps={most}",
                "trainer.eval_every_steps=100",
                "optim.schedule=constant",
            )
            read = Read(world, "lstm", "char_lm", *limits, folder=folder)
            read.trainer.fit()
            return [weight.numpy().tobytes() for weight in read.weights()], torch.get_rng_state().numpy().tobytes()

        return work

    whole = in_processes(count, steps(6, tmp_path / "whole"))
    in_processes(count, steps(3, tmp_path / "parts"))
    resumed = in_processes(count, steps(6, tmp_path / "parts"))
    assert resumed == whole
    assert len({state for _, state in whole}) == count


def test_another_number_of_processes_goes_on_with_the_same_examples(tmp_path: Path) -> None:
    """2, then 1, then 2: every row is read once, in the order of one process, with the state that belongs to it."""

    def steps(most: int, folder: Path | None) -> Callable[[World], Any]:
        def work(world: World) -> Any:
            read = Read(world, "gru", "char_lm", f"trainer.max_steps={most}", *_PLAIN, folder=folder)
            read.trainer.fit()
            return read.rows, [weight.numpy() for weight in read.weights()]

        return work

    ((rows, weights),) = in_processes(1, steps(9, None))
    found: list[list[str]] = []
    for count, most in ((2, 3), (1, 6), (2, 9)):
        parts = in_processes(count, steps(most, tmp_path))
        found += together([part[0] for part in parts])
    assert found == rows
    assert all(abs(mine - theirs).max() < 1e-5 for mine, theirs in zip(parts[0][1], weights, strict=True))


def test_a_signal_to_one_process_stops_all_at_the_same_step(tmp_path: Path) -> None:
    def work(world: World) -> tuple[int, int]:
        read = Read(world, "lstm", "char_lm", "trainer.max_steps=50", folder=tmp_path)
        trainer = read.trainer

        def note(*_: Any) -> None:
            if world.rank == 1 and trainer.progress.step == 3:
                trainer.stop_signal = 15

        trainer.network.register_forward_pre_hook(note)
        with pytest.raises(Interrupted) as stopped:
            trainer.fit()
        return trainer.progress.step, stopped.value.exit_code

    assert in_processes(2, work) == [(4, 143), (4, 143)]
    assert (tmp_path / "step-00000004").is_dir()


def test_a_loss_that_is_not_finite_in_one_process_is_skipped_by_all() -> None:
    def work(world: World) -> tuple[int, int, bool]:
        read = Read(world, "lstm", "char_lm", "trainer.max_steps=4")
        trainer = read.trainer

        def spoil(network: Any, _: Any, output: StepOutput) -> StepOutput:
            spoilt = world.rank == 1 and network.training and trainer.progress.step == 1
            return replace(output, loss_sum=output.loss_sum * torch.inf) if spoilt else output

        trainer.network.register_forward_hook(spoil)
        trainer.fit()
        finite = all(bool(weight.isfinite().all()) for weight in read.weights())
        return trainer.progress.nonfinite_steps, trainer.progress.step, finite

    assert in_processes(2, work) == [(1, 4, True), (1, 4, True)]


def test_what_cannot_be_divided_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config("lstm", "char_lm", "device=cpu", "task.batch_size=2", "device.processes=3")
    three = World()
    three.size = 3
    with pytest.raises(ConfigError, match=r"device\.processes=3: a batch has 2 rows") as error:
        prepare(config, Device(torch.device("cpu"), "fp32", compile=False, world=three), checked=True)
    assert "device.processes=2" in error.value.hint
    with pytest.raises(ConfigError, match=r"device\.threads=auto measures one process by itself"):
        tiny_config("lstm", "char_lm", "device.processes=2", "device.threads=auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    gpus = DeviceConfig(type="cuda", precision="auto", compile="never", threads=None, processes=4, sharding="ddp")
    with pytest.raises(ConfigError, match="needs 4 GPUs on this machine, which has 2") as error:
        check_places(gpus, 4)
    assert "device.processes=2" in error.value.hint


def test_a_weight_without_gradient_is_refused() -> None:
    def work(world: World) -> str:
        made = Read(world, "lstm", "char_lm").trainer
        made.network.lonely = torch.nn.Parameter(torch.zeros(2))
        again = Trainer(made.task, made.network, made.optim, made.config, made.device, seed=0, folder=None)
        with pytest.raises(ConfigError) as error:
            again.fit()
        return error.value.what

    assert all("the loss does not depend on lonely" in what for what in in_processes(2, work))


def test_a_state_file_of_one_process_has_nothing_about_others(tmp_path: Path) -> None:
    def work(world: World) -> None:
        Read(world, "rnn", "char_lm", "trainer.max_steps=1", folder=tmp_path / str(world.size)).trainer.fit()

    for count in (1, 2):
        in_processes(count, work)
    states = [json.loads((tmp_path / str(n) / "step-00000001" / "state.json").read_text()) for n in (1, 2)]
    assert "ranks" not in states[0]
    assert len(states[1]["ranks"]) == 1
