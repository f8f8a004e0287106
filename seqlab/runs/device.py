"""How the device of a run is decided, step by step.

1. Settings: the run's own; a resumed run keeps what `auto` chose when it was started (`device_to_resume`).
2. The machine: `training.device.resolve_device` resolves device, precision and threads on this machine.
3. The network and its steps, once it is built: no bf16 on a CPU where it does not pay (`without_slow_bf16`).
4. A small step gets one thread; threads and compilation that are still `auto` are measured (`decide`, by
   training/auto.py).

Evaluation stops after the second step (`device_to_evaluate`).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from seqlab.config.run import RunConfig
from seqlab.core.batch import Batch
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.errors import CheckpointError, ConfigError
from seqlab.runs.faults import memory
from seqlab.runs.reporter import Reporter
from seqlab.training.auto import decide_by_steps, needs_steps
from seqlab.training.device import Device, DeviceConfig, resolve_device
from seqlab.training.seeds import random_states, set_random_states
from seqlab.training.trainer import Trainer
from seqlab.training.world import ALONE, World

_SMALL = 10_000_000
"""Parameters times positions of a step: below, neither a second thread nor bf16 saves time (docs/performance.md)."""
SMALL_STEP = "device.threads=1: a step is too small for several threads to share"


def is_small(config: RunConfig, task: Task[Any], network: Network[Any]) -> bool:
    """Whether a training step on a CPU is as quick with one thread, and in fp32. A rule and no measurement, so that the
    same command gives the same bits."""
    batch: Batch = next(iter(task.batches("train", 0)))
    positions = min(batch.positions, batch.size * (config.trainer.bptt_steps or batch.positions))
    return positions * sum(parameter.numel() for parameter in network.parameters()) < _SMALL


def without_slow_bf16(config: RunConfig, task: Task[Any], network: Network[Any], device: Device) -> Device:
    """`device`, in fp32 where `auto` chose bf16 on a CPU, and the step is small, or the network has torch's nn.GRU or
    nn.RNN: without a kernel of their own for it, these round their state to bf16 at every step."""
    if config.device.precision != "auto" or (device.name, device.precision) != ("cpu", "bf16"):
        return device
    rounded = any(isinstance(module, nn.GRU | nn.RNN) for module in network.modules())
    return replace(device, precision="fp32") if rounded or is_small(config, task, network) else device


def decide(
    config: RunConfig, task: Task[Any], network: Network[Any], device: Device, reporter: Reporter | None = None
) -> tuple[Device, tuple[str, ...]]:
    """(the device with every `auto` setting decided, a sentence on each choice). Changes neither the network nor the
    random generators. The reporter is told before anything slow."""
    device = without_slow_bf16(config, task, network, device)
    reasons: tuple[str, ...] = ()
    several = config.device.threads is None and device.name == "cpu" and torch.get_num_threads() > 1
    if several and is_small(config, task, network):
        torch.set_num_threads(1)
        reasons = (SMALL_STEP,)
    if not needs_steps(config.device):
        return device, reasons

    drawn = random_states(device.name)
    twin = copy.deepcopy(network)
    for module in twin.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()  # copied weights are separate in memory, and cuDNN wants one block
    trainer = Trainer(task, twin, config.optim, config.trainer, device, seed=config.seed, folder=None)
    try:
        with memory():
            say = (lambda _: None) if reporter is None else reporter.say
            device, measured = decide_by_steps(config.device, trainer, say)
            return device, (*reasons, *measured)
    finally:
        if device.name == "cuda":
            torch.cuda.reset_peak_memory_stats()
        set_random_states(device.name, *drawn)


def device_to_resume(config: RunConfig, origin: Mapping[str, Any], world: World = ALONE) -> tuple[DeviceConfig, Device]:
    """(the settings with which a stored run is resumed, the device they give). What `auto` decided belongs to the run,
    unless the setting has been changed. origin: what its checkpoint was made from. world: the processes that resume it.

    Raises CheckpointError if the checkpoint names an impossible device, ConfigError for one that this machine lacks.
    """
    before, stored = origin.get("environment"), origin["config"].get("device")
    kept: dict[str, Any] = {}
    if isinstance(before, dict) and isinstance(stored, dict):
        for key, name in {"type": "device", "precision": "precision", "threads": "threads"}.items():
            if before.get(name) is not None and getattr(config.device, key) == stored.get(key):
                kept[key] = before[name]
        if isinstance(before.get("compile"), bool) and config.device.compile == stored.get("compile") == "auto":
            kept["compile"] = "always" if before["compile"] else "never"
    try:
        settings = replace(config.device, **kept)
    except ValidationError as error:
        raise CheckpointError(f"the checkpoint names a device that does not exist: {kept}") from error
    try:
        return settings, resolve_device(settings, deterministic=config.deterministic, world=world)
    except ConfigError as error:
        if error.what.startswith("device="):
            error.hint = "try device.type=cpu device.precision=fp32, which is not bit-exact"
        raise


def device_to_evaluate(config: RunConfig, facts: Mapping[str, Any]) -> Device:
    """This machine's device, in the precision that the run was trained in; in fp32 where the device lacks that.
    facts: the run's environment.json."""
    settings = replace(config.device, type="auto", compile="never", precision="fp32")
    chosen = facts.get("chosen")
    if isinstance(chosen, dict) and chosen.get("precision") in ("bf16", "fp16"):
        try:
            precise = replace(settings, precision=chosen["precision"])
            return resolve_device(precise, deterministic=config.deterministic)
        except ConfigError:  # fp16 on a CPU
            pass
    return resolve_device(settings, deterministic=config.deterministic)
