"""seqlab's side of a measurement."""

from __future__ import annotations

import os
import time
from itertools import islice
from typing import Any

import torch

from benchmarks.harness import Facts, Pace
from seqlab.comparison.flops import training_flops
from seqlab.config.run import load_run_config
from seqlab.experiment import decide, prepare
from seqlab.interfaces import Metric, ModelConfig
from seqlab.training.device import resolve_device
from seqlab.training.progress import Progress
from seqlab.training.trainer import Trainer

NEVER = ("trainer.eval_every_steps=1000000000", "trainer.save_every_steps=1000000000", "trainer.max_steps=1000000000",
         "optim.horizon_steps=5000")  # fmt: skip


class Silent:
    """An Observer that is told everything and does nothing."""

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        pass

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        pass

    def saving(self, progress: Progress) -> None:
        pass


class PacedTrainer(Trainer[Any]):
    """The trainer itself, which waits after each step."""

    pace: Pace
    facts: Facts
    model: ModelConfig
    began: float

    def _log_if_due(self) -> None:
        super()._log_if_due()
        if self.progress.step == 1:
            self.facts["first_step_seconds"] = time.perf_counter() - self.began
        self.pace()


def make_trainer(overrides: tuple[str, ...]) -> PacedTrainer:
    """As `seqlab train` makes it, but that it writes nothing and never validates."""
    config = load_run_config([*NEVER, *overrides])
    device = resolve_device(config.device, deterministic=False)
    task, network = prepare(config, device)
    device, _ = decide(config, task, network, device)
    trainer = PacedTrainer(
        task, network, config.optim, config.trainer, device, seed=0, folder=None, observers=(Silent(),)
    )
    trainer.model = config.model
    return trainer


def seqlab(pace: Pace, facts: Facts, overrides: tuple[str, ...] = (), compiler_cache: str | None = None) -> None:
    """A contender: fit(), with everything that it does between two validations."""
    if compiler_cache is not None:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = compiler_cache
    run(make_trainer(overrides), pace, facts)


def run(trainer: PacedTrainer, pace: Pace, facts: Facts) -> None:
    """Train at the harness's pace."""
    trainer.pace, trainer.facts = pace, facts
    windows = [window for group in islice(trainer.groups(), 30) for window in group]
    trainer.progress = Progress()
    tokens = sum(window.positions for window in windows)
    state = torch.random.get_rng_state()
    flops = training_flops(trainer.task.build_network(trainer.model), windows[:2])
    torch.random.set_rng_state(state)
    facts["tokens_per_step"] = tokens / len(windows)
    facts["flops_per_step"] = flops / sum(window.positions for window in windows[:2]) * facts["tokens_per_step"]
    facts["device"] = f"{trainer.device.name} {trainer.device.precision}"
    trainer.began = time.perf_counter()
    trainer.fit()
