"""One search for a family on a task, the same for all: trials over the whole space, then around the two best so far.

Each trains to the end, since what a large learning rate is worth shows only when it has decayed; but for those that are
hopeless: worse at a half of the steps than the best so far was at a quarter.
"""

from __future__ import annotations

import copy
import random
import time
from dataclasses import dataclass, field, replace
from functools import cmp_to_key
from typing import Any

import torch

from benchmarks.tuning.space import FIRST, Draw, model_at, near, overrides
from seqlab.config.compose import settings
from seqlab.config.run import RunConfig, load_run_config
from seqlab.core.metric import Criterion, Metric
from seqlab.core.task import Task
from seqlab.errors import NumericError
from seqlab.runs.setup import prepare
from seqlab.training.device import Device
from seqlab.training.progress import Progress
from seqlab.training.trainer import Trainer

NEAR = (4, 4, 4)
CENTRES = 2
QUARTER, HALF = 0.25, 0.5


@dataclass
class Best:
    """An Observer that keeps the metrics of the best validation."""

    metrics: dict[str, float] = field(default_factory=dict)

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        """Not needed."""

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        """The rule that keeps weights says which is best."""
        if better:
            self.metrics = {name: metric.value for name, metric in metrics.items()}

    def saving(self, progress: Progress) -> None:
        """Nothing is saved."""


@dataclass
class Trial:
    """One set of settings in training. early: its validation after a quarter of the steps. failed: why it ended."""

    draw: Draw
    overrides: tuple[str, ...]
    trainer: Trainer[Any]
    best: Best
    steps: int
    early: Criterion | None = None
    failed: str = ""

    def train(self, best: Trial | None) -> None:
        """Train to the end, or only to the half if it is hopeless compared with the best so far."""
        self.train_to(QUARTER)
        self.early = self.reached
        self.train_to(HALF)
        if best is None or best.early is None or (self.reached is not None and self.reached.better_than(best.early)):
            self.train_to(1.0)

    def train_to(self, share: float) -> None:
        """Train to this share of the steps, unless it has failed."""
        if self.failed:
            return
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

    def train(drawn: list[Draw]) -> None:
        for draw in drawn:
            trial = _trial(draw, base, shared, corpus)
            trial.train(ranked(trials)[0] if trials else None)
            trials.append(trial)

    train(list(FIRST))
    for number, count in enumerate(NEAR):
        best = [trial.draw for trial in ranked(trials)[:CENTRES]]
        train(near(best, count, random.Random(f"{seed} {number}")))
    return {
        "model": model,
        "task": task,
        "chosen": ranked(trials)[0].as_json(),
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
