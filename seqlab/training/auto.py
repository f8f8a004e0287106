"""What `auto` comes to for threads and compilation, from steps of the run itself, and why, in words.

Nothing here changes what is computed, but both change how sums are rounded; so the choice is written down with the run,
which is resumed with it.
"""

from __future__ import annotations

import getpass
import hashlib
import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqlab.training.device import Device, DeviceConfig, cpp_compiler
from seqlab.training.progress import Progress
from seqlab.training.trainer import Trainer

# measured by `python -m benchmarks compiling` on a CPU (docs/performance.md); not measured on a GPU yet
_SAVED = {"cpu": 0.08, "cuda": 0.2}
_COLD_SECONDS, _WARM_SECONDS = 30.0, 8.0
_ROUNDS, _ROUND_SECONDS = 3, 0.25
_WORTH = 0.95  # more threads are taken if a step then takes less than this share of its time


def undecided(config: DeviceConfig) -> bool:
    """Whether there is something that only steps can decide."""
    return config.threads == "auto" or config.compile == "auto"


def choose(config: DeviceConfig, trainer: Trainer[Any]) -> tuple[Device, tuple[str, ...]]:
    """The trainer's device with everything chosen, and a sentence on each choice. This process then has the threads
    that were chosen. The trainer is used up: it trains some steps."""
    device, reasons, step_seconds = trainer.device, list[str](), None
    trainer.network.train()
    for group in islice(_steps(trainer), 2):
        trainer.advance(group)  # the first steps make the optimizer's moments
    if config.threads == "auto" and device.name == "cpu":
        step_seconds, reason = _choose_threads(trainer)
        reasons.append(f"device.threads=auto: {reason}")
    if config.compile == "auto":
        compiled, reason = _choose_compilation(trainer, step_seconds)
        device = replace(device, compile=compiled)
        reasons.append(f"device.compile=auto: {reason}")
    return device, tuple(reasons)


def _choose_threads(trainer: Trainer[Any]) -> tuple[float, str]:
    """(seconds of a step with the threads that are best, why)."""
    most = torch.get_num_threads()
    counts = sorted({1, max(1, most // 2), most})
    if len(counts) == 1:
        return _step_seconds(trainer), "1 thread, there is no more"
    taken: dict[int, list[float]] = {count: [] for count in counts}
    for turn in range(_ROUNDS):
        for count in counts[:: 1 if turn % 2 else -1]:
            torch.set_num_threads(count)
            taken[count].append(_step_seconds(trainer))
    seconds = {count: statistics.median(times) for count, times in taken.items()}
    best = counts[0]
    for count in counts[1:]:
        if seconds[count] < _WORTH * seconds[best]:
            best = count
    torch.set_num_threads(best)
    others = ", ".join(f"{count}: {1000 * seconds[count]:.3g} ms" for count in counts if count != best)
    return seconds[best], f"{best} thread{'s' * (best > 1)}, {1000 * seconds[best]:.3g} ms a step ({others})"


def _choose_compilation(trainer: Trainer[Any], step_seconds: float | None) -> tuple[bool, str]:
    """(whether to compile, why)."""
    device = trainer.device
    if any(isinstance(module, nn.RNNBase) for module in trainer.network.modules()):
        return False, "no, a recurrent kernel is fused already and is slower compiled"
    if device.name not in _SAVED:
        return False, f"no, it is not tried on {device.name}"
    if device.name == "cpu" and cpp_compiler() is None:
        return False, "no, there is no C++ compiler"
    shapes = {tuple(_shapes(window)) for group in islice(_steps(trainer), 6) for window in group}
    if len(shapes) > 1:
        return False, "no, batches differ in length, and each length would be compiled by itself"
    seconds = planned_seconds(trainer, step_seconds or _step_seconds(trainer))
    warm = marker(trainer).exists()
    saved, cost = _SAVED[device.name] * seconds, _WARM_SECONDS if warm else _COLD_SECONDS
    sum_up = (
        f"it would save about {saved:.0f} s of the {seconds:.0f} s that training takes and cost about {cost:.0f} s "
        f"({'its cache is warm' if warm else 'nothing is cached yet'})"
    )
    return saved > cost, f"{'yes' if saved > cost else 'no'}, {sum_up}"


def planned_seconds(trainer: Trainer[Any], step_seconds: float) -> float:
    """How long the run will train, by the first of its budgets that is used up."""
    limit, seconds = trainer.config, math.inf
    if limit.max_seconds is not None:
        seconds = min(seconds, limit.max_seconds)
    if limit.max_steps is not None:
        seconds = min(seconds, limit.max_steps * step_seconds)
    if limit.max_epochs is not None:
        windows = sum(1 for _ in trainer.task.batches("train", 0))
        seconds = min(seconds, limit.max_epochs * windows / limit.accumulate * step_seconds)
    return seconds


def marker(trainer: Trainer[Any]) -> Path:
    """A file beside the compiler's cache that says that these steps were compiled before, by this torch."""
    shapes = sorted(_shapes(next(trainer.task.batches("train", 0))))
    place = (trainer.device.name, trainer.device.precision)
    what = (torch.__version__, place, repr(trainer.network), shapes, trainer.config.bptt_steps)
    digest = hashlib.sha256(repr(what).encode()).hexdigest()[:24]
    default = Path(tempfile.gettempdir()) / f"torchinductor_{getpass.getuser()}"
    return Path(os.environ.get("TORCHINDUCTOR_CACHE_DIR", default)) / f"seqlab-{digest}"


def note_compiled(trainer: Trainer[Any]) -> None:
    """Leave the marker of a run that was compiled; without it the next one only believes that it costs more."""
    if trainer.device.compile:
        with suppress(OSError):
            marker(trainer).touch()


def _shapes(window: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, value in vars(window).items():
        if isinstance(value, Tensor):
            yield name, tuple(value.shape)


def _steps(trainer: Trainer[Any]) -> Iterator[list[Any]]:
    """The steps of the run, from its first one on."""
    trainer.progress, trainer.state = Progress(), None
    return trainer.groups()


def _step_seconds(trainer: Trainer[Any]) -> float:
    """The mean over about a quarter of a second of the run's first steps: batches may differ in length."""
    groups, done = _steps(trainer), 0
    trainer.device.synchronise()
    started = time.perf_counter()
    for group in islice(groups, 40):
        trainer.advance(group)
        done += 1
        trainer.device.synchronise()
        if time.perf_counter() - started > _ROUND_SECONDS:
            break
    return (time.perf_counter() - started) / done
