"""How far a training has come, and who is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from seqlab.core.metric import Criterion

if TYPE_CHECKING:
    from seqlab.core.metric import Metric
    from seqlab.training.config import TrainerConfig


@dataclass
class Progress:
    """How far training has come. The position in the data is (epoch, windows of it already read).

    best, best_step: the validation whose weights are kept. evaluations_since_best: how many in a row were not better
    than all before them; one that is only as good is kept, as the newer, and counts. evaluated_step: of the last
    validation. A signal puts off a validation that is due; the run makes it first when it goes on. failed: the last
    step ended the run, because its loss or gradient was not finite.
    """

    step: int = 0
    epoch: int = 0
    windows: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best: Criterion | None = None
    best_step: int = 0
    evaluations_since_best: int = 0
    evaluated_step: int = 0
    nonfinite_in_a_row: int = 0
    nonfinite_steps: int = 0
    failed: bool = False

    def due(self, every_steps: int) -> bool:
        """Whether this step has its turn; nothing is due before the first one."""
        return self.step > 0 and self.step % every_steps == 0

    def used_up(self, limit: TrainerConfig) -> bool:
        """Whether steps, seconds or patience have come to their end; epochs end with the data."""
        return (
            (limit.max_steps is not None and self.step >= limit.max_steps)
            or (limit.max_seconds is not None and self.seconds >= limit.max_seconds)
            or (limit.patience is not None and self.evaluations_since_best >= limit.patience)
        )

    def take(self, criterion: Criterion) -> bool:
        """Count a validation of this step. Whether its weights are those to keep."""
        self.evaluated_step = self.step
        self.evaluations_since_best = 0 if criterion.better_than(self.best) else self.evaluations_since_best + 1
        if not criterion.replaces(self.best):
            return False
        self.best, self.best_step = criterion, self.step
        return True


class Observer(Protocol):
    """Somebody who watches: the log files, the display."""

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        """A few training steps are done; scalars by tag, e.g. train/loss."""

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        """A validation is done."""

    def saving(self, progress: Progress) -> None:
        """A checkpoint is about to be written: what was said so far must outlive a kill."""


@dataclass
class Interval:
    """Sums since the last log line; a checkpoint keeps them, so that the next line is what it would have been."""

    nats: float = 0.0
    targets: int = 0
    tokens: int = 0
    seconds: float = 0.0
    gradient_norms: list[float] = field(default_factory=list)

    def scalars(self, progress: Progress, learning_rate: float, loss_scale: float | None) -> dict[str, float]:
        """What a log line says, by tag. loss_scale: in fp16."""
        norms = self.gradient_norms
        found = {
            "train/loss": self.nats / self.targets,
            "optim/learning_rate": learning_rate,
            "optim/gradient_norm": sum(norms) / len(norms),
            "optim/gradient_norm_max": max(norms),
            "optim/nonfinite_steps": float(progress.nonfinite_steps),
            "speed/tokens_per_second": self.tokens / max(self.seconds, 1e-9),
            "speed/step_milliseconds": 1000 * self.seconds / len(norms),
            "speed/epoch": float(progress.epoch),
        }
        return found if loss_scale is None else {**found, "optim/loss_scale": loss_scale}
