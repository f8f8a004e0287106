"""The costs of a model, measured on a few real steps before anything is trained."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from seqlab.comparison.flops import training_flops
from seqlab.config.run import RunConfig
from seqlab.core.batch import HELD_OUT, positions_in
from seqlab.core.network import GeneratingNetwork, Network
from seqlab.core.other_lengths import other_lengths
from seqlab.core.state_bytes import longest_sequence, state_bytes
from seqlab.core.task import Task
from seqlab.decoding.sampling import Sampling, stream
from seqlab.runs.setup import build_network
from seqlab.training.auto import first_steps, timed_steps
from seqlab.training.device import Device
from seqlab.training.lengths import can_read, lengths_to_evaluate
from seqlab.training.trainer import Trainer
from seqlab.training.validation_time import seconds_per_position

_WARM_UP, _STEPS, _SECONDS = 3, (8, 60), 3.0
_GENERATED = 100
_VALIDATION_SECONDS = 1.0


@dataclass(frozen=True)
class Probe:
    """Costs of one variant. step_seconds: of an optimizer step, without compilation and warm-up. tokens_per_step:
    positions read, without padding. flops_per_token: of training, forward and backward. validation_seconds: of one
    validation during training, estimated from its first batches; final_seconds: of evaluating both held-out splits at
    the end, and test at task.eval_lengths. start_seconds: of the rest of a run's process, including reading the corpus.
    state_bytes: of what one sequence keeps from position to position; None for nothing. generated_per_second: tokens at
    batch 1; None for a task that generates nothing."""

    device: str
    precision: str
    step_seconds: float
    tokens_per_step: float
    flops_per_token: float
    validation_seconds: float
    state_bytes: int | None
    generated_per_second: float | None
    final_seconds: float | None = None  # not in plans of earlier versions
    start_seconds: float | None = None


@cache
def start_up_seconds() -> float:
    """Seconds until the process of a run has imported everything; measured once."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", "import seqlab.runs.train"], check=False)
    return time.perf_counter() - started


def competing_threads() -> int:
    """How many other threads are running or ready to run (Linux; elsewhere 0): the least of five samples."""
    samples: list[int] = []
    for _ in range(5):
        try:
            running = Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0]
        except (OSError, IndexError):
            return 0
        samples.append(int(running) - 1)  # without this one
        time.sleep(0.05)
    return min(samples)


def probe(config: RunConfig, task: Task[Any], device: Device) -> Probe:
    """Measure a model on a network of its own: the run itself starts from initial weights.

    Raises NumericError if a step is not finite, ResourceError if memory does not suffice.
    """
    network = build_network(config, task, device)
    trainer: Trainer[Any] = Trainer(task, network, config.optim, config.trainer, device, seed=config.seed, folder=None)
    network.train()
    for group in islice(first_steps(trainer), _WARM_UP):
        if (failed := trainer.step(group)) is not None:
            raise failed
    step_seconds = _step_seconds(trainer)
    windows = [window for group in islice(first_steps(trainer), 4) for window in group if window.scored]
    flops = training_flops(task.build_network(config.model), windows) / positions_in(windows)
    each = seconds_per_position(trainer, _VALIDATION_SECONDS)
    return Probe(
        device=device.name,
        precision=device.precision,
        step_seconds=step_seconds,
        tokens_per_step=fmean(positions_in(group) for group in islice(first_steps(trainer), 300)),
        flops_per_token=flops,
        validation_seconds=each * positions_in(task.validation_batches()),
        state_bytes=state_bytes(network, task),
        generated_per_second=_generated_per_second(network, task, device),
        final_seconds=each * _final_positions(network, task),
    )


def _final_positions(network: Network[Any], task: Task[Any]) -> float:
    """How many positions are evaluated at the end. Sequences of other lengths are not made: they may be very long."""
    of_split = {split: positions_in(task.batches(split, 0)) for split in HELD_OUT}
    lengths = [length for length in lengths_to_evaluate(task) if can_read(network, task, length)]
    others = [other_lengths(task).at_length(length) for length in lengths if length != other_lengths(task).length()]
    return sum(of_split.values()) + sum(of_split["test"] * other.longest() / task.longest() for other in others)


def _step_seconds(trainer: Trainer[Any]) -> float:
    """The mean over some seconds of steps: batches differ in length, so that a median would not add up."""
    taken: list[float] = []
    for seconds, failed in timed_steps(trainer, least=_STEPS[0], most=_STEPS[1], seconds=_SECONDS):
        if failed is not None:
            raise failed
        taken.append(seconds)
    return fmean(taken)


@torch.inference_mode()
def _generated_per_second(network: Network[Any], task: Task[Any], device: Device) -> float | None:
    """Tokens at batch 1."""
    if not isinstance(network, GeneratingNetwork):
        return None
    network.eval()
    alone = longest_sequence(task, device.torch_device)
    rows = torch.tensor([network.alphabet.start], device=device.torch_device)
    length = min(_GENERATED, task.longest())
    taken: list[float] = []
    for _ in range(3):
        started = time.perf_counter()
        for _ in stream(network, alone, rows, length, Sampling(), torch.Generator().manual_seed(0)):
            pass
        device.synchronise()
        taken.append(time.perf_counter() - started)
    return length / min(taken)
