"""Processes that each train a shard of a network: the same gradients, decisions and checkpoints as one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from seqlab.core.network import StepOutput
from seqlab.errors import ConfigError
from seqlab.training.device import Division
from seqlab.training.shards import _blocks
from seqlab.training.trainer import Trainer
from seqlab.training.world import World
from tests.conftest import tiny_config, tiny_network
from tests.training.ranks import Read, in_processes, together

_PLAIN = ("optim=sgd", "optim.learning_rate=0.1", "optim.schedule=constant", "trainer.eval_every_steps=3")


def _whole(value: Tensor | None) -> Tensor:
    assert value is not None
    return value.full_tensor() if isinstance(value, DTensor) else value


def test_gradients_are_those_of_one_process() -> None:
    """The mean over all targets, however unevenly rows are divided: an LSTM's flat weights, initial states made inside
    a forward, a source that each block reads, tied weights, learned positions, scans. A sum in place of a mean would be
    three times as large."""
    cases = (
        ("lstm", "char_lm", "task.batch_size=5", "model.tie_embeddings=true"),
        ("gru", "translation", "model.attention=additive"),
        ("transformer", "translation", "model.positions=learned", "model.tie_embeddings=true"),
        ("ssm", "adding"),
    )

    def work(world: World) -> list[tuple[float, list[Any]]]:
        found = []
        for model, task, *overrides in cases:
            trainer = Read(world, model, task, *overrides, *_PLAIN, sharding="fsdp").trainer
            _, norm = trainer.update(next(trainer.windows.groups(trainer.progress)), 0.1)
            gradients = [_whole(parameter.grad).numpy() for parameter in trainer.update.parameters]
            found.append((float(norm), gradients))
        return found

    (alone,), (together, *others) = in_processes(1, work), in_processes(3, work)
    for case, mine, theirs in zip(cases, together, alone, strict=True):
        assert mine[0] == pytest.approx(theirs[0], rel=1e-5), case
        for gradient, expected in zip(mine[1], theirs[1], strict=True):
            assert abs(gradient - expected).max() < 1e-6, case
    assert all(other[index][0] == mine[0] for other in others for index, mine in enumerate(together))


def test_they_learn_what_one_process_learns() -> None:
    """Truncated, accumulated, clipped, with windows in which no row of a process has a target, and validated."""
    more = ("task.bidirectional=false", "trainer.bptt_steps=4", "trainer.accumulate=2", "trainer.clip_norm=0.1")

    def work(world: World) -> tuple[Any, ...]:
        read = Read(world, "gru", "sentiment", "trainer.max_steps=6", *more, *_PLAIN, sharding="fsdp")
        read.trainer.fit()
        progress = replace(read.trainer.progress, seconds=0.0)
        return read.rows, [weight.numpy() for weight in read.weights()], progress

    ((rows, weights, progress),), parts = in_processes(1, work), in_processes(2, work)
    assert together([part[0] for part in parts]) == rows
    for part in parts:
        assert all(abs(mine - theirs).max() < 1e-5 for mine, theirs in zip(part[1], weights, strict=True))
        assert part[2].best.metrics[-1].value == pytest.approx(progress.best.metrics[-1].value, rel=1e-5)


def _steps(most: int, folder: Path | None, sharding: Division, *overrides: str) -> Callable[[World], Any]:
    def work(world: World) -> Any:
        read = Read(world, "lstm", "char_lm", f"trainer.max_steps={most}", *overrides, folder=folder, sharding=sharding)
        read.trainer.fit()
        return read.rows, [weight.numpy() for weight in read.weights()], torch.get_rng_state().numpy().tobytes()

    return work


def test_a_resumed_run_has_the_same_bits(tmp_path: Path) -> None:
    """With dropout and Adam, whose means are shards, and with three processes, where the order of adding up matters."""
    more = ("model.dropout=0.3", "trainer.eval_every_steps=100", "optim.schedule=constant")
    whole = in_processes(3, _steps(6, tmp_path / "whole", "fsdp", *more))
    in_processes(3, _steps(3, tmp_path / "parts", "fsdp", *more))
    resumed = in_processes(3, _steps(6, tmp_path / "parts", "fsdp", *more))
    for (_, mine, state), (_, theirs, expected) in zip(resumed, whole, strict=True):
        assert [weight.tobytes() for weight in mine] == [weight.tobytes() for weight in theirs]
        assert state == expected


def test_a_checkpoint_goes_from_shards_to_one_process_to_copies_and_back(tmp_path: Path) -> None:
    more = ("optim=rmsprop", "optim.momentum=0.9", "optim.schedule=constant", "trainer.clip_value=0.01")
    ((rows, weights, _),) = in_processes(1, _steps(8, None, "ddp", *more))
    found: list[list[str]] = []
    ways: tuple[tuple[int, Division], ...] = ((2, "fsdp"), (1, "ddp"), (2, "ddp"), (3, "fsdp"))
    for most, (count, sharding) in zip((2, 4, 6, 8), ways, strict=True):
        parts = in_processes(count, _steps(most, tmp_path, sharding, *more))
        found += together([part[0] for part in parts])
    assert found == rows
    assert all(abs(mine - theirs).max() < 1e-4 for mine, theirs in zip(parts[0][1], weights, strict=True))


def test_bf16_a_loss_that_is_not_finite_and_the_size_of_a_shard() -> None:
    def work(world: World) -> tuple[int, int, bool, float, int]:
        read = Read(world, "lstm", "char_lm", "trainer.max_steps=4", sharding="fsdp", precision="bf16")
        trainer = read.trainer

        def spoil(_: Any, __: Any, output: StepOutput) -> StepOutput:
            spoilt = world.rank == 1 and trainer.progress.step == 1
            return replace(output, loss_sum=output.loss_sum * torch.inf) if spoilt else output

        trainer.update.sharing.trained.register_forward_hook(spoil)
        trainer.fit()
        slots = trainer.update.optimizer.state.values()
        held = sum(slot["exp_avg"].to_local().numel() for slot in slots)
        finite = all(bool(weight.isfinite().all()) for weight in read.weights())
        best = trainer.progress.best
        assert best is not None
        return trainer.progress.nonfinite_steps, trainer.progress.step, finite, best.metrics[-1].value, held

    parts = in_processes(2, work)
    assert [part[:3] for part in parts] == [(1, 4, True)] * 2
    assert parts[0][3] == parts[1][3]
    every = sum(p.numel() for p in tiny_network(tiny_config("lstm", "char_lm")).parameters())
    assert sum(part[4] for part in parts) == every
    assert max(part[4] for part in parts) < 0.6 * every


def test_blocks_are_elements_of_lists_that_share_no_weight() -> None:
    network = nn.Module()
    shared = nn.Linear(4, 4)
    network.blocks = nn.ModuleList([nn.Linear(4, 4), shared, nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 2)), shared])
    network.norms = nn.ModuleList([nn.LayerNorm(4)])
    network.deep = nn.Sequential(nn.ModuleList([nn.Linear(2, 2)]))
    assert [name for name, _ in _blocks(network)] == ["blocks.0", "blocks.2", "deep.0.0"]


def test_what_cannot_be_divided_names_ddp() -> None:
    """A block's weight that is used outside its forward, one number by itself, and a weight without gradient."""

    def error(made: Trainer[Any]) -> tuple[str, str]:
        with pytest.raises(ConfigError) as caught:
            Trainer(made.task, made.network, made.optim, made.config, made.device, seed=0, folder=None).fit()
        return caught.value.what, caught.value.hint

    def work(world: World) -> list[tuple[str, str]]:
        errors = []
        made = Read(world, "lstm", "char_lm", sharding="fsdp").trainer
        made.network.get_submodule("decoder").register_forward_hook(
            lambda stack, _, output: (output[0] + stack.kernels[0].weight_hh_l0.mean(), output[1])
        )
        errors.append(error(made))
        for size in ((), (2,)):
            made = Read(world, "lstm", "char_lm", sharding="fsdp").trainer
            made.network.lonely = nn.Parameter(torch.zeros(size))
            errors.append(error(made))
        return errors

    outside, scalar, lonely = in_processes(2, work)[0]
    assert "outside its forward" in outside[0]
    assert "lonely" in scalar[0]
    assert outside[1] == scalar[1] == "try device.sharding=ddp"
    assert "the loss does not depend on lonely" in lonely[0]
