"""One search for a family on a task, the same for all: trials over the whole space, then around the best so far.

Each trains for a half of the steps, and the best of all go on to the end. A half, because sooner the longest warm-up is
hardly over and a deep model has shown nothing yet.
"""

from __future__ import annotations

import copy
import random
import time
from dataclasses import dataclass, field, replace
from functools import cmp_to_key
from typing import Any

import torch

from benchmarks.tuning.space import Draw, model_at, near, overrides, scattered
from seqlab.config.compose import settings
from seqlab.config.run import RunConfig, load_run_config
from seqlab.criterion import Criterion
from seqlab.errors import NumericError
from seqlab.experiment import prepare
from seqlab.interfaces import Metric, Task
from seqlab.training.device import Device
from seqlab.training.progress import Progress
from seqlab.training.trainer import Trainer

SCATTERED = 8
NEAR = (4, 4)
SHARE = 0.5
FINALISTS = 4
TRIALS = SCATTERED + sum(NEAR)


@dataclass
class Best:
    """An Observer that keeps the metrics of the best validation."""

    metrics: dict[str, float] = field(default_factory=dict)

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        """Nothing of it is needed."""

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        """The rule that keeps weights says which is best."""
        if better:
            self.metrics = {name: metric.value for name, metric in metrics.items()}

    def saving(self, progress: Progress) -> None:
        """Nothing is saved."""


@dataclass
class Trial:
    """One set of settings on its way. failed: why it ended early."""

    draw: Draw
    overrides: tuple[str, ...]
    trainer: Trainer[Any]
    best: Best
    steps: int
    failed: str = ""

    def train_to(self, share: float) -> None:
        """Go on to this share of the steps."""
        limit = max(1, round(share * self.steps))
        self.trainer.config = replace(self.trainer.config, max_steps=limit)
        try:
            self.trainer.fit()
        except NumericError as error:
            self.failed = error.what

    @property
    def reached(self) -> Criterion | None:
        """The best validation so far."""
        return None if self.failed else self.trainer.progress.best

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        progress = self.trainer.progress
        return {
            **vars(self.draw),
            "overrides": list(self.overrides),
            "steps": progress.step,
            "best_step": progress.best_step,
            "seconds": round(progress.seconds, 1),
            "validation": self.best.metrics,
            "failed": self.failed,
        }


def ranked(trials: list[Trial]) -> list[Trial]:
    """The best first; those that failed, last."""

    def compare(a: Trial, b: Trial) -> int:
        if a.reached is None or b.reached is None:
            return (a.reached is None) - (b.reached is None)
        return int(b.reached.better_than(a.reached)) - int(a.reached.better_than(b.reached))

    return sorted(trials, key=cmp_to_key(compare))


def search(model: str, task: str, seed: int, extra: tuple[str, ...] = ()) -> dict[str, Any]:
    """All trials of one family on one task; validation alone decides, the test split is never read."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    base = [f"model={model}", f"task={task}", "device=cpu", "device.precision=fp32", *extra]
    shared = load_run_config(base)
    corpus = shared.task.build()
    trials: list[Trial] = []

    def halfway(drawn: list[Draw]) -> None:
        for draw in drawn:
            trials.append(_trial(draw, base, shared, corpus))
            trials[-1].train_to(SHARE)

    halfway(scattered(SCATTERED, seed))
    for number, count in enumerate(NEAR):
        halfway(near(ranked(trials)[0].draw, count, random.Random(f"{seed} {number}")))
    finalists = ranked(trials)[:FINALISTS]
    for trial in finalists:
        trial.train_to(1.0)
    return {
        "model": model,
        "task": task,
        "chosen": ranked(finalists)[0].as_json(),
        "trials": [trial.as_json() for trial in trials],
        "minutes": round((time.perf_counter() - started) / 60, 1),
    }


def _trial(draw: Draw, base: list[str], shared: RunConfig, corpus: Task[Any]) -> Trial:
    words = overrides(draw, shared.model, model_at(draw, shared.model, corpus))
    steps = shared.trainer.max_steps
    if steps is None:
        raise ValueError("a search needs trainer.max_steps")
    there = settings(base)
    known = tuple(word for word in words if word.partition("=")[0] in there)
    config = load_run_config([*base, *known, f"optim.horizon_steps={steps}"])
    device = Device(torch.device("cpu"), "fp32", compile=False)
    _, network = prepare(config, device, corpus)
    best = Best()
    trainer = Trainer(
        corpus, network, config.optim, copy.copy(config.trainer), device, seed=config.seed, folder=None,
        observers=(best,),
    )  # fmt: skip
    return Trial(draw, known, trainer, best, steps)
