"""What a model costs, measured on a few real steps before anything is trained."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from seqlab.comparison.flops import training_flops
from seqlab.config.run import RunConfig
from seqlab.core.batch import HELD_OUT, positions_in
from seqlab.core.network import GeneratingNetwork, Network
from seqlab.core.state import State
from seqlab.core.task import Task
from seqlab.decoding.sampling import Sampling, stream
from seqlab.runs.setup import build_network
from seqlab.training.auto import first_steps, timed_steps
from seqlab.training.budgets import seconds_per_position
from seqlab.training.device import Device
from seqlab.training.trainer import Trainer

_WARM_UP, _STEPS, _SECONDS = 3, (8, 60), 3.0
_GENERATED = 100
_VALIDATION_SECONDS = 1.0


@dataclass(frozen=True)
class Probe:
    """Costs of one variant. step_seconds: of an optimizer step, compilation and warm-up left out.
    flops_per_token: of training, forward and backward. validation_seconds: of one in training, estimated from its first
    batches; final_seconds: of the two whole splits at the end. start_seconds: of a run's process before and after all
    this, the corpus included. state_bytes: what a sequence needs to be kept while it
    is written, and generated_per_second: tokens written one after another at batch 1; both None where a task writes
    nothing."""

    device: str
    precision: str
    step_seconds: float
    tokens_per_step: float
    flops_per_token: float
    validation_seconds: float
    state_bytes: int | None
    generated_per_second: float | None
    final_seconds: float | None = None  # plans of before do not have it
    start_seconds: float | None = None


@cache
def start_up_seconds() -> float:
    """How long it takes until a process of a run has everything imported."""
    started = time.perf_counter()
    # an optimizer imports torch._dynamo
    subprocess.run([sys.executable, "-P", "-c", "import seqlab.runs.train, torch._dynamo"], check=False)
    return time.perf_counter() - started


def competing_threads() -> int:
    """How many other threads want a processor right now (Linux; elsewhere 0): the least of some looks."""
    looks: list[int] = []
    for _ in range(5):
        try:
            running = Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0]
        except (OSError, IndexError):
            return 0
        looks.append(int(running) - 1)  # we are running as well
        time.sleep(0.05)
    return min(looks)


def probe(config: RunConfig, task: Task[Any], device: Device) -> Probe:
    """Measure. The steps made here are forgotten; the run itself starts afresh."""
    network = build_network(config, task, device)
    trainer: Trainer[Any] = Trainer(task, network, config.optim, config.trainer, device, seed=config.seed, folder=None)
    network.train()
    for group in islice(first_steps(trainer), _WARM_UP):
        if (failed := trainer.step(group)) is not None:
            raise failed
    step_seconds = _step_seconds(trainer)
    windows = [window for group in islice(first_steps(trainer), 4) for window in group if window.scored]
    flops = training_flops(task.build_network(config.model), windows) / positions_in(windows)
    state_bytes, speed = _generation(network, task, device)
    each = seconds_per_position(trainer, _VALIDATION_SECONDS)
    return Probe(
        device=device.name,
        precision=device.precision,
        step_seconds=step_seconds,
        tokens_per_step=fmean(positions_in(group) for group in islice(first_steps(trainer), 300)),
        flops_per_token=flops,
        validation_seconds=each * positions_in(task.validation_batches()),
        state_bytes=state_bytes,
        generated_per_second=speed,
        final_seconds=each * sum(positions_in(task.batches(split, 0)) for split in HELD_OUT),
    )


def _step_seconds(trainer: Trainer[Any]) -> float:
    """The mean over some seconds of steps: batches differ in length, so that a median would not add up."""
    taken: list[float] = []
    for seconds, failed in timed_steps(trainer, least=_STEPS[0], most=_STEPS[1], seconds=_SECONDS):
        if failed is not None:
            raise failed
        taken.append(seconds)
    return fmean(taken)


@torch.inference_mode()
def _generation(network: Network[Any], task: Task[Any], device: Device) -> tuple[int | None, float | None]:
    """(bytes of state of one sequence, tokens written a second)."""
    if not isinstance(network, GeneratingNetwork):
        return None, None
    network.eval()
    # the longest sequence: batches sorted by length have it at their end
    longest = max(task.batches("validation", 0), key=lambda batch: batch.positions / batch.size)
    alone = _last_row(longest.to(device.torch_device))
    rows = torch.tensor([network.alphabet.start], device=device.torch_device)
    length = min(_GENERATED, task.longest())
    _, state = network.start(alone, length)
    state_bytes = _bytes(state)
    taken: list[float] = []
    for _ in range(3):
        started = time.perf_counter()
        for _ in stream(network, alone, rows, length, Sampling(), torch.Generator().manual_seed(0)):
            pass
        device.synchronise()
        taken.append(time.perf_counter() - started)
    return state_bytes, length / min(taken)


def _last_row(batch: Any) -> Any:
    values = {f.name: getattr(batch, f.name) for f in fields(batch)}
    return replace(batch, **{name: value[-1:] for name, value in values.items() if isinstance(value, Tensor)})


def _bytes(state: State) -> int:
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    return sum(_bytes(part) for part in state)
