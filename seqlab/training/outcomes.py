"""What steps came to: a GPU, which works on its own, is asked for several at once."""

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
    """What a step came to, not yet read from the device: summed nats and the gradient's norm before clipping, which
    is not finite where the loss is not. epoch, windows: where in the data it was."""

    step: int
    epoch: int
    windows: int
    targets: int
    tokens: int
    seconds: float
    nats: Tensor
    norm: Tensor


def _read(outcomes: list[Outcome]) -> list[tuple[float, float]]:
    """(nats, norm) of each, in one look at the device, which waits until it has made them."""
    if len(outcomes) == 1:
        return [(float(outcomes[0].nats), float(outcomes[0].norm))]
    pairs: list[list[float]] = torch.stack([torch.stack((o.nats, o.norm)) for o in outcomes]).tolist()
    return [(nats, norm) for nats, norm in pairs]


class Outcomes:
    """Takes what each step came to, and counts it once the device has been asked. interval: sums since the last log
    line. scaler: of the loss in fp16. remedy: what may keep this training from diverging, in words."""

    def __init__(self, config: TrainerConfig, scaler: torch.amp.GradScaler, remedy: str) -> None:
        self.config, self.scaler, self.remedy = config, scaler, remedy
        self.interval = Interval()
        self.waiting: list[Outcome] = []
        self.since = 0.0

    def take(self, progress: Progress, group: Sequence[Batch], came_to: tuple[Tensor, Tensor], started: float) -> None:
        """Keep a step until `read`. came_to: summed nats and the gradient's norm. started: by time.perf_counter()."""
        progress.step += 1
        seconds = time.perf_counter() - started
        targets, tokens = targets_in(group), positions_in(group)
        progress.seconds, progress.tokens = progress.seconds + seconds, progress.tokens + tokens
        if not self.waiting:
            self.since = started
        where = (progress.step, progress.epoch, progress.windows)
        self.waiting.append(Outcome(*where, targets, tokens, seconds, *came_to))

    def read(self, progress: Progress) -> NumericError | None:
        """Ask for what is waiting and count it. Returns the error that is to end the run, if one is."""
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return None
        values = _read(waiting)
        # a GPU goes on while the host is elsewhere: what counts is the time from the first of these steps to this look
        waited = time.perf_counter() - self.since - sum(outcome.seconds for outcome in waiting)
        interval, ended = self.interval, None
        progress.seconds, interval.seconds = progress.seconds + waited, interval.seconds + waited
        for outcome, (nats, norm) in zip(waiting, values, strict=True):
            if math.isfinite(norm):
                if ended is None:
                    progress.nonfinite_in_a_row, progress.failed = 0, False
                interval.nats, interval.targets = interval.nats + nats, interval.targets + outcome.targets
                interval.tokens, interval.seconds = interval.tokens + outcome.tokens, interval.seconds + outcome.seconds
                interval.gradient_norms.append(norm)
            else:  # counted as such, and kept out of the means
                error = count_nonfinite(
                    progress,
                    outcome,
                    policy=self.config.on_nonfinite,
                    limit=self.config.nonfinite_limit,
                    scale=self.loss_scale,
                    remedy=self.remedy,
                )
                ended = ended or error
        return ended

    def scalars(self, progress: Progress, learning_rate: float) -> dict[str, float]:
        """What a log line says of the steps since the last one, by tag; the next interval begins."""
        interval, self.interval = self.interval, Interval()
        return interval.scalars(progress, learning_rate, self.loss_scale)

    @property
    def loss_scale(self) -> float | None:
        """Of fp16; None elsewhere."""
        return float(self.scaler.get_scale()) if self.scaler.is_enabled() else None
