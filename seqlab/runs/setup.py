"""Build a trainer from a RunConfig: the one place that assembles task, network and optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from seqlab.checkpoints.best import load_best
from seqlab.config.overrides import merged
from seqlab.config.run import RunConfig, check_trackers, load_run_config
from seqlab.contracts.check import check_before_training
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.data.files import sha256_of
from seqlab.errors import CheckpointError, ConfigError
from seqlab.runs.catalogue import named_run, pinned_start
from seqlab.runs.ended import is_first
from seqlab.runs.environment import environment, fingerprint, recorded
from seqlab.runs.faults import memory
from seqlab.runs.names import check_run_name
from seqlab.training.budgets import budget_notes, cut_note
from seqlab.training.context import check_context, narrow
from seqlab.training.device import Device
from seqlab.training.seeds import seed_global_generators
from seqlab.training.trainer import Trainer
from seqlab.training.windows import steps_in


def start_config(
    overrides: Sequence[str], config_dir: Path | None, name: str | None, folder: Path | None
) -> tuple[RunConfig, list[str]]:
    """The config of a new run, and its overrides with init_from resolved to a folder and datasets to a revision. Raises
    ConfigError, also for an invalid name, or if a tracker lacks what it needs."""
    if name is not None and folder is not None:
        raise ConfigError("--name and --folder both say where the run goes", "keep one of them")
    if name is not None:
        check_run_name(name, "--name")
    given = list(overrides)
    config = load_run_config(given, config_dir)
    if is_first():  # of a run's processes only the first logs
        check_trackers(config)
    exact = [f"task.{setting}={value}" for setting, value in config.task.pinned().items()]
    if pins := [*pinned_start(config.init_from, config.runs_dir), *exact]:
        given = list(merged(given, pins))
        config = load_run_config(given, config_dir)
    return config, given


def count_parameters(network: nn.Module) -> int:
    """The number of trainable parameters, a tied weight counted once."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def budgets(config: RunConfig, task: Task[Any], network: Network[Any]) -> list[str]:
    """Notes on budgets whose effect may surprise, as far as it is known before training."""
    given = config.trainer

    def steps(epochs: int) -> int:
        return steps_in(epochs, task, network, given.bptt_steps, given.accumulate)

    cut = cut_note(given, task)
    return [*budget_notes(given, config.optim, steps), *([cut] if cut else [])]


def new_network(config: RunConfig, task: Task[Any]) -> Network[Any]:
    """A network for the task, limited to the positions that training reaches."""
    network = task.build_network(config.model)
    narrow(network, task, config.trainer.bptt_steps)
    return network


def build_network(config: RunConfig, task: Task[Any], device: Device) -> Network[Any]:
    """A network on the device, initialised from the seed's own random stream."""
    seed_global_generators(config.seed, "initialisation")
    network = new_network(config, task)
    if config.init_from is not None:
        folder = named_run(config.init_from, config.runs_dir)
        _check_vocabulary(folder, task)
        load_best(network, folder / "checkpoints")
    network.to(device.torch_device)
    # the global generators belong to dropout alone from here on
    seed_global_generators(config.seed, "dropout", device.world.rank)
    return network


def describe_environment(task: Task[Any], device: Device, reasons: Sequence[str] = ()) -> dict[str, Any]:
    """The content of environment.json: versions, machine, data. reasons: for what was chosen."""
    chosen = {
        "device": device.name,
        "precision": device.precision,
        "compile": device.compile,
        "processes": device.world.size,
        "sharding": device.sharding,
    }
    return environment(task.data_sha256) | {
        "symbols_sha256": sha256_of(task.vocabulary()),
        "heldout_sha256": task.heldout_sha256(),
        "chosen": chosen,
        "reasons": list(reasons),
    }


def make_trainer(
    config: RunConfig, task: Task[Any], network: Network[Any], device: Device, folder: Path, facts: Mapping[str, Any]
) -> Trainer[Any]:
    """A trainer whose checkpoints, in `folder`, record what the run is made from."""
    origin = {
        "config": {"names": config.names, **config.tree},
        "data_sha256": facts["data_sha256"],
        "symbols_sha256": facts["symbols_sha256"],
        "environment": fingerprint(facts),
    }
    return Trainer(
        task,
        network,
        config.optim,
        config.trainer,
        device,
        seed=config.seed,
        folder=folder / "checkpoints",
        origin=origin,
    )


def prepare(
    config: RunConfig, device: Device, task: Task[Any] | None = None, *, checked: bool = False
) -> tuple[Task[Any], Network[Any]]:
    """The task (read, unless it is given) and a network for it, after every check that is possible before training.
    checked: skip the model's contracts, which need a network of their own."""
    config.optim.horizon(config.trainer.max_steps)
    world = device.world
    task = world.in_turn(config.task.build) if task is None else task
    with memory():
        network = build_network(config, task, device)
    if config.trainer.bptt_steps is not None:
        task.check_windows(config.trainer.bptt_steps, network)
    check_context(network, task, config.trainer.bptt_steps)
    if world.size > 1 and (rows := next(task.training_batches(network, 0)).size) < world.size:
        raise ConfigError(
            f"device.processes={world.size}: a batch has {rows} rows, and each process reads its share of them",
            f"try device.processes={rows}, or more rows in a batch (task.batch_size={world.size})",
        )
    if not checked:
        world.first(lambda: check_before_training(task, config.model, f"model={config.names['model']}"))
    return task, network


def _check_vocabulary(run: Path, task: Task[Any]) -> None:
    """Raise CheckpointError unless the vocabulary is that of the run: equal shapes could mean other tokens."""
    if recorded(run).get("symbols_sha256") != sha256_of(task.vocabulary()):
        raise CheckpointError(
            f"init_from={run} was trained with another vocabulary", "start from a run on the same task and corpus"
        )
