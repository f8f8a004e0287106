"""The training loop: steps, logs, validations and checkpoints. The step itself is in update.py."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic

from seqlab.checkpoints.saving import save_checkpoint
from seqlab.core.batch import BatchT, Split
from seqlab.core.meter import Meter
from seqlab.core.metric import Criterion
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.errors import Interrupted, NumericError
from seqlab.training.config import TrainerConfig
from seqlab.training.device import Device
from seqlab.training.memory import out_of_memory_in
from seqlab.training.nonfinite import remedies
from seqlab.training.optim import OptimConfig
from seqlab.training.outcomes import Outcomes
from seqlab.training.progress import Observer, Progress
from seqlab.training.update import Update
from seqlab.training.validation import evaluate, validate
from seqlab.training.windows import Windows


class Trainer(Generic[BatchT]):
    """Trains `network` on `task` by fit(). Checkpoints go to `folder` (None: nowhere), with the `origin` of the run."""

    def __init__(
        self,
        task: Task[BatchT],
        network: Network[BatchT],
        optim: OptimConfig,
        config: TrainerConfig,
        device: Device,
        *,
        seed: int,
        folder: Path | None,
        observers: tuple[Observer, ...] = (),
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        self.task, self.network, self.optim, self.config, self.device = task, network, optim, config, device
        self.seed, self.folder, self.observers, self.origin = seed, folder, observers, origin or {}
        self.horizon = optim.horizon(config.max_steps)
        self.remedy = remedies(optim.learning_rate, clipped=config.clips, precision=device.precision)
        self.windows = Windows(task, network, config, seed)
        self.update: Update[BatchT] = Update(device.share(network), optim.build, device, config)
        self.outcomes = Outcomes(config, self.update.scaler, self.remedy)
        self.progress, self.world, self.saved_seconds, self.fitting = Progress(), device.world, 0.0, False
        self.saved_step: int | None = None  # None also after a log line or validation since then
        self.best_steps: dict[int, int] = {}  # the best step known to each of the last two checkpoints
        self.stop_signal: int | None = None  # that this process has received

    def fit(self) -> None:
        """Train until a budget is used up or patience ends; then validate and save once more. With everything saved,
        raises NumericError (a loss or gradient is not finite once, with on_nonfinite=stop, or too often in a row) and
        Interrupted (after a signal); ResourceError when memory or disk is short."""
        self.fitting = True
        try:
            self.network.train()
            if self.validate_if_due():  # a signal may have postponed it
                self.save()
            self.saved_seconds = self.progress.seconds
            for group in self.windows.groups(self.progress, self.finished):
                failed = self.step(group)  # forward, backward, clip, update
                if self.progress.due(self.config.log_every_steps):
                    self.log()
                better = failed is None and self.validate_if_due()
                if late := self.progress.seconds - self.saved_seconds >= (self.config.save_every_seconds or math.inf):
                    failed = self.read() or failed
                if better or late or failed is not None or self.progress.due(self.config.save_every_steps):
                    self.save()
                if failed is not None:
                    raise failed
            self._end()
        finally:
            self.fitting = False

    def step(self, group: list[BatchT]) -> NumericError | None:
        """One update. Returns the error that ends the run, of this step or an earlier one; the caller saves first."""
        progress, started = self.progress, time.perf_counter()
        with out_of_memory_in(progress.step + 1, group[-1]):
            result = self.update(group, self.optim.learning_rate_at(progress.step, self.horizon))
        self.outcomes.take(progress, group, result, started)
        return self.read(not self.update.guard.deferred or any(map(progress.due, self.config.intervals)))

    def read(self, outcomes: bool = True) -> NumericError | None:
        """Read the outcomes of steps, and agree on clock and signals. Returns the error that ends the run."""
        failed = self.outcomes.read(self.progress) if outcomes else None
        self.world.agree(self.progress, self.stop_signal)
        return failed

    def finished(self) -> bool:
        """Whether a budget is used up, patience has ended, or a signal came."""
        return self.world.stop_signal(self.stop_signal) is not None or self.progress.used_up(self.config)

    def log(self) -> None:
        """Tell the observers about the steps since the last log line, if there were any."""
        if self.outcomes.interval.targets:
            scalars = self.outcomes.scalars(self.progress, self.update.optimizer.param_groups[0]["lr"])
            for observer in self.observers:
                observer.logged(self.progress, scalars)
            self.saved_step = None

    def validate_if_due(self) -> bool:
        """Validate if that is due and not yet done. Returns whether these are the weights to keep."""
        return self.progress.validation_due(self.config.eval_every_steps) and self.validate()

    def validate(self) -> bool:
        """Validate. Returns whether these are the weights to keep. A signal postpones it."""
        sharing = self.update.sharing
        figures = validate(sharing, self.task, self.device, lambda: self.fitting and self.stop_signal is not None)
        if figures is None:
            self.world.agree(self.progress, self.stop_signal)
            return False
        kept = self.progress.take(Criterion.of(figures.metrics, figures.criterion))
        for observer in self.observers:
            observer.evaluated(self.progress, figures.metrics, figures.primary, kept)
        self.saved_step = None
        return kept

    def evaluate(self, split: Split) -> Meter[BatchT]:
        """Evaluate on the whole split, in order and with a state of its own, without an effect on training."""
        return evaluate(self.network, self.task.batches(split, 0), self.task.meter(split), self.device)

    def save(self) -> None:
        """Write a checkpoint of this step, once its logs are on the disk."""
        self.saved_seconds = self.progress.seconds
        if self.folder is not None:
            for observer in self.observers:
                observer.saving(self.progress)
            save_checkpoint(self, self.folder)

    def _end(self) -> None:
        """After the last step or a signal: log, validate and save what has not been yet."""
        failed = self.read()
        if failed is None and self.world.stop_signal(self.stop_signal) is None:
            self.log()
            if self.progress.evaluated_step != self.progress.step:
                self.validate()
        if failed is not None or self.saved_step != self.progress.step:
            self.save()
        if failed is not None:
            raise failed
        if (signal := self.world.stop_signal(self.stop_signal)) is not None:
            raise Interrupted(f"stopped at step {self.progress.step}", "", 128 + signal)
