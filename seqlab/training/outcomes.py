"""Outcomes of steps, read from the device later: a GPU runs asynchronously, and several are read at once."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqlab.core.batch import Batch, positions_in, targets_in
from seqlab.errors import NumericError
from seqlab.training.config import TrainerConfig
from seqlab.training.nonfinite import count_nonfinite
from seqlab.training.progress import Interval, Progress


@dataclass(frozen=True)
class Outcome:
    """One step's loss sum and gradient norm, not yet read from the device. norm: before clipping, and not finite if the
    loss is not. epoch, windows: its position in the data. seconds: until the host continued."""

    step: int
    epoch: int
    windows: int
    targets: int
    tokens: int
    seconds: float
    loss_sum: Tensor
    norm: Tensor


def _read(outcomes: list[Outcome]) -> list[tuple[float, float]]:
    """(loss sum, norm) of each, in one transfer, which waits until the device has computed them."""
    if len(outcomes) == 1:
        return [(float(outcomes[0].loss_sum), float(outcomes[0].norm))]
    pairs: list[list[float]] = torch.stack([torch.stack((o.loss_sum, o.norm)) for o in outcomes]).tolist()
    return [(loss_sum, norm) for loss_sum, norm in pairs]


class Outcomes:
    """Collects the outcome of each step and counts it when it is read. interval: sums since the last log line. scaler:
    the loss scaler of fp16. remedy: settings that may stop the divergence, in words."""

    def __init__(self, config: TrainerConfig, scaler: torch.amp.GradScaler, remedy: str) -> None:
        self.config, self.scaler, self.remedy = config, scaler, remedy
        self.interval = Interval()
        self.waiting: list[Outcome] = []
        self.since = 0.0
        self.last_norm: float | None = None  # that was finite, in this process

    def take(self, progress: Progress, group: Sequence[Batch], result: tuple[Tensor, Tensor], started: float) -> None:
        """Keep a step until `read`. result: loss sum and gradient norm. started: by time.perf_counter()."""
        progress.step += 1
        seconds = time.perf_counter() - started
        targets, tokens = targets_in(group), positions_in(group)
        progress.seconds, progress.tokens = progress.seconds + seconds, progress.tokens + tokens
        if not self.waiting:
            self.since = started
        where = (progress.step, progress.epoch, progress.windows)
        self.waiting.append(Outcome(*where, targets, tokens, seconds, *result))

    def read(self, progress: Progress) -> NumericError | None:
        """Read the waiting outcomes and count them. Returns the error that ends the run, if there is one."""
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return None
        values = _read(waiting)
        # a GPU computes while the host does something else: count the time from the first step to now
        waited = time.perf_counter() - self.since - sum(outcome.seconds for outcome in waiting)
        interval, ended = self.interval, None
        progress.seconds, interval.seconds = progress.seconds + waited, interval.seconds + waited
        for outcome, (loss_sum, norm) in zip(waiting, values, strict=True):
            if math.isfinite(norm):
                if ended is None:
                    progress.nonfinite_in_a_row, progress.failed = 0, False
                interval.nats, interval.targets = interval.nats + loss_sum, interval.targets + outcome.targets
                interval.tokens, interval.seconds = interval.tokens + outcome.tokens, interval.seconds + outcome.seconds
                interval.gradient_norms.append(norm)
                self.last_norm = norm
            else:  # kept out of the means
                error = count_nonfinite(
                    progress,
                    outcome,
                    policy=self.config.on_nonfinite,
                    limit=self.config.nonfinite_limit,
                    scale=self.loss_scale,
                    remedy=self.remedy,
                    last_norm=self.last_norm,
                )
                ended = ended or error
        return ended

    def scalars(self, progress: Progress, learning_rate: float) -> dict[str, float]:
        """The scalars of a log line over the steps since the last one, by tag; the next interval begins."""
        interval, self.interval = self.interval, Interval()
        return interval.scalars(progress, learning_rate, self.loss_scale)

    @property
    def loss_scale(self) -> float | None:
        """The loss scale of fp16; None in other precisions."""
        return float(self.scaler.get_scale()) if self.scaler.is_enabled() else None
