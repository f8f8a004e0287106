"""seqlab's side of a measurement."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.harness import Facts, Pace
from seqlab.cli.display import Terminal
from seqlab.comparison.flops import training_flops
from seqlab.config.run import load_run_config
from seqlab.core.metric import Metric
from seqlab.core.model import ModelConfig
from seqlab.errors import NumericError
from seqlab.runs import setup
from seqlab.runs.device import decide
from seqlab.runs.setup import prepare
from seqlab.runs.train import train
from seqlab.training.device import chosen_type, resolve_device
from seqlab.training.progress import Progress
from seqlab.training.trainer import Trainer

NEVER = ("trainer.eval_every_steps=1000000000", "trainer.save_every_steps=1000000000", "trainer.max_steps=1000000000",
         "optim.horizon_steps=5000")  # fmt: skip


def lm_overrides(model: str, *, width: int, window: int, rows: int) -> tuple[str, ...]:
    """A character language model of two layers without dropout, whose context is the window."""
    transformer = (f"model.feed_forward={4 * width}", f"model.context={window}") if model == "transformer" else ()
    return (
        f"model={model}", f"model.width={width}", "model.layers=2", "model.dropout=0.0", f"task.window={window}",
        f"task.batch_size={rows}", "device.type=cpu", "device.precision=fp32", *transformer,
    )  # fmt: skip


class Silent:
    """An Observer that does nothing."""

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        pass

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        pass

    def saving(self, progress: Progress) -> None:
        pass


class PacedTrainer(Trainer[Any]):
    """The trainer, which waits for its turn after each step."""

    pace: Pace
    facts: Facts
    model: ModelConfig
    began: float

    def step(self, group: list[Any]) -> NumericError | None:
        failed = super().step(group)
        if self.progress.step == 1:
            self.facts["first_step_seconds"] = time.perf_counter() - self.began
        self.facts["tokens_done"] = self.progress.tokens
        self.pace()
        return failed


def make_trainer(overrides: tuple[str, ...]) -> PacedTrainer:
    """As `seqlab train` makes it, except that it writes nothing, never validates, and on a CPU computes in fp32 unless
    an override says otherwise, like what it is compared with. A later override wins."""
    threads = f"device.threads={torch.get_num_threads()}"  # as many as the others have, however small the step
    chosen = {text.partition("=")[0]: text for text in (*NEVER, threads, *overrides)}
    config = load_run_config([*chosen.values()])
    if "device.precision" not in chosen and chosen_type(config.device) == "cpu":
        config = load_run_config([*chosen.values(), "device.precision=fp32"])
    device = resolve_device(config.device, deterministic=False)
    task, network = prepare(config, device)
    device, _ = decide(config, task, network, device)
    trainer = PacedTrainer(
        task, network, config.optim, config.trainer, device, seed=config.seed, folder=None, observers=(Silent(),)
    )
    trainer.model = config.model
    return trainer


def seqlab(pace: Pace, facts: Facts, overrides: tuple[str, ...] = (), compiler_cache: str | None = None) -> None:
    """A contender: fit(), with everything that it does between two validations except showing and writing logs."""
    if compiler_cache is not None:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = compiler_cache
    run(make_trainer(overrides), pace, facts)


def run(trainer: PacedTrainer, pace: Pace, facts: Facts) -> None:
    """Train at the harness's pace."""
    trainer.pace, trainer.facts = pace, facts
    windows = [window for group in islice(trainer.windows.groups(trainer.progress), 30) for window in group]
    trainer.progress = Progress()
    state = torch.random.get_rng_state()
    flops = training_flops(trainer.task.build_network(trainer.model), windows[:2])
    torch.random.set_rng_state(state)
    facts["flops_per_token"] = flops / sum(window.positions for window in windows[:2])
    facts["device"] = f"{trainer.device.name} {trainer.device.precision}"
    trainer.began = time.perf_counter()
    trainer.fit()


def seqlab_as_it_comes(pace: Pace, facts: Facts, overrides: tuple[str, ...] = ()) -> None:
    """A contender: all of `seqlab train`, with its run folder, log files, TensorBoard, checkpoints and display."""
    config = load_run_config([*NEVER, *overrides])
    PacedTrainer.pace, PacedTrainer.facts = staticmethod(pace), facts
    PacedTrainer.began = time.perf_counter()
    vars(setup)["Trainer"] = PacedTrainer
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        config = replace(config, runs_dir=Path(folder))
        train(config, Terminal(Console(file=nowhere, force_terminal=True, width=100)))
