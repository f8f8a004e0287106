"""How `auto` chooses threads and compilation: by timing steps of the run itself.

Neither changes what is computed, but both change how sums are rounded. So the choice is stored with the run, and a
resumed run keeps it.
"""

from __future__ import annotations

import getpass
import hashlib
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from seqlab.errors import NumericError
from seqlab.training.device import Device, DeviceConfig, cpp_compiler
from seqlab.training.progress import Progress
from seqlab.training.trainer import Trainer

T = TypeVar("T")
# to compile a small network on a CPU with an empty and a filled cache: `python -m benchmarks compiling`
_COLD_SECONDS, _WARM_SECONDS = 25.0, 2.5
_MOST_SHARE = 0.02  # of the planned training time: a trial may take no more
_COMPILED = ("cpu", "cuda")
_ROUNDS, _ROUND_SECONDS = 3, 0.25
_WORTH = 0.95  # more threads, or compilation, must bring a step below this share of its time


def needs_steps(config: DeviceConfig) -> bool:
    """Whether a setting is left to `auto` that only steps of the run can decide."""
    return config.threads == "auto" or config.compile == "auto"


def decide_by_steps(
    config: DeviceConfig, trainer: Trainer[Any], say: Callable[[str], None]
) -> tuple[Device, tuple[str, ...]]:
    """(the trainer's device with every choice made, a sentence on each). Sets the number of threads of this process.
    The trainer must not be used afterwards: it has trained some steps. say: is called before anything slow."""
    device, reasons = trainer.device, list[str]()
    trainer.network.train()
    _step_seconds(trainer)  # the first steps create the optimizer's moments
    if config.threads == "auto" and device.name == "cpu":
        reasons.append(f"device.threads=auto: {_choose_threads(trainer)}")
    if config.compile == "auto":
        compiled, reason = _choose_compilation(trainer, say)
        device = replace(device, compile=compiled)
        reasons.append(f"device.compile=auto: {'yes' if compiled else 'no'}, {reason}")
    return device, tuple(reasons)


def _choose_threads(trainer: Trainer[Any]) -> str:
    """Set the number of threads with the fastest step. Returns the number and the timings, in words."""
    most = torch.get_num_threads()
    counts = sorted({1, max(1, most // 2), most})

    def measure(count: int) -> float:
        torch.set_num_threads(count)
        return _step_seconds(trainer)

    seconds = _in_turns({count: partial(measure, count) for count in counts})
    best = counts[0]
    for count in counts[1:]:
        if seconds[count] < _WORTH * seconds[best]:
            best = count
    torch.set_num_threads(best)
    others = ", ".join(f"{count}: {1000 * seconds[count]:.3g} ms" for count in counts if count != best)
    against = f" ({others})" if others else ""
    return f"{best} thread{'s' * (best > 1)}, {1000 * seconds[best]:.3g} ms a step{against}"


def _choose_compilation(trainer: Trainer[Any], say: Callable[[str], None]) -> tuple[bool, str]:
    """(whether to compile, the reason). It is tried only where training is long enough to pay for it."""
    device = trainer.device
    if any(isinstance(module, nn.RNNBase) for module in trainer.network.modules()):
        return False, "a recurrent kernel is fused already and is slower compiled"
    if device.name not in _COMPILED:
        return False, f"it is not tried on {device.name}"
    if device.name == "cpu" and cpp_compiler() is None:
        return False, "there is no C++ compiler"
    shapes = {tuple(_shapes(window)) for group in islice(first_steps(trainer), 6) for window in group}
    if len(shapes) > 1:
        return False, "batches differ in length, and each length would be compiled separately"
    planned = planned_seconds(trainer, _step_seconds(trainer))
    place = marker(trainer)
    warm = place is not None and place.exists()
    cost = _WARM_SECONDS if warm else _COLD_SECONDS
    sum_up = f"training takes about {planned:.0f} s and compiling {cost:g} s{' (its cache is warm)' if warm else ''}"
    if cost > _MOST_SHARE * planned:
        return False, f"{sum_up}, too much to try it"
    say(f"device.compile=auto: {sum_up}, so it is tried")
    compiled = Trainer(
        trainer.task, trainer.network, trainer.optim, trainer.config, replace(device, compile=True),
        seed=trainer.seed, folder=None,
    )  # fmt: skip
    try:
        _step_seconds(compiled)
    except Exception as error:  # a failing compiler is no reason not to train
        return False, f"compiling failed: {' '.join(str(error).split())[:120]}"
    note_compiled(compiled)
    seconds = _in_turns({False: partial(_step_seconds, trainer), True: partial(_step_seconds, compiled)})
    figures = f"{1000 * seconds[True]:.3g} ms a step compiled, {1000 * seconds[False]:.3g} ms as it is"
    return seconds[True] < _WORTH * seconds[False], figures


def _in_turns(measured: Mapping[T, Callable[[], float]]) -> dict[T, float]:
    """The median time of each, measured in alternation, so that a busy moment of the machine affects all of them."""
    taken: dict[T, list[float]] = {name: [] for name in measured}
    for turn in range(_ROUNDS):
        for name in list(measured)[:: 1 if turn % 2 else -1]:
            taken[name].append(measured[name]())
    return {name: statistics.median(times) for name, times in taken.items()}


def planned_seconds(trainer: Trainer[Any], step_seconds: float) -> float:
    """The seconds of training until the first of the run's budgets is used up."""
    limit, seconds = trainer.config, math.inf
    if limit.max_seconds is not None:
        seconds = min(seconds, limit.max_seconds)
    if limit.max_steps is not None:
        seconds = min(seconds, limit.max_steps * step_seconds)
    if limit.max_epochs is not None:
        batches, steps = trainer.task.training_batches(trainer.network, 0), limit.bptt_steps
        windows = sum(1 if steps is None else sum(1 for _ in batch.windows(steps)) for batch in batches)
        seconds = min(seconds, limit.max_epochs * windows / limit.accumulate * step_seconds)
    return seconds


def marker(trainer: Trainer[Any]) -> Path | None:
    """A file beside the compiler's cache that exists once this torch has compiled these steps; None where the place of
    the cache is unknown."""
    try:
        default = Path(tempfile.gettempdir()) / f"torchinductor_{getpass.getuser()}"
    except (KeyError, OSError, ImportError):  # a user without a name, as in some containers
        default = None
    folder = os.environ.get("TORCHINDUCTOR_CACHE_DIR", default)
    if folder is None:
        return None
    shapes = sorted(_shapes(next(trainer.task.training_batches(trainer.network, 0))))
    place = (trainer.device.name, trainer.device.precision)
    what = (torch.__version__, place, repr(trainer.network), shapes, trainer.config.bptt_steps)
    digest = hashlib.sha256(repr(what).encode()).hexdigest()[:24]
    return Path(folder) / f"seqlab-{digest}"


def note_compiled(trainer: Trainer[Any]) -> None:
    """Leave the marker of a compiled run. Without it the next run only overestimates the cost."""
    if trainer.device.compile and (place := marker(trainer)) is not None:
        with suppress(OSError):
            place.touch()


def _shapes(window: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, value in vars(window).items():
        if isinstance(value, Tensor):
            yield name, tuple(value.shape)


def first_steps(trainer: Trainer[Any]) -> Iterator[list[Any]]:
    """The groups of windows of the run's steps, from the first step on."""
    trainer.progress, trainer.update.state = Progress(), None
    return trainer.windows.groups(trainer.progress)


def timed_steps(
    trainer: Trainer[Any], *, least: int, most: int, seconds: float
) -> Iterator[tuple[float, NumericError | None]]:
    """Train the run's first steps, `least` to `most` of them, until `seconds` have passed. Yields the seconds of each,
    and the error with which it would have ended the run."""
    taken = 0.0
    for done, group in enumerate(islice(first_steps(trainer), most), start=1):
        trainer.device.synchronise()
        started = time.perf_counter()
        failed = trainer.step(group)
        trainer.device.synchronise()
        step = time.perf_counter() - started
        yield step, failed
        taken += step
        if taken > seconds and done >= least:
            break


def _step_seconds(trainer: Trainer[Any]) -> float:
    """The mean over some steps, since batches may differ in length. A non-finite step is left for the run to report."""
    return statistics.fmean(step for step, _ in timed_steps(trainer, least=1, most=40, seconds=_ROUND_SECONDS))
