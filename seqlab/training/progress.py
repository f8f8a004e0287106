"""How far training has come, and its observers."""

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

    best, best_step: the validation whose weights are kept. evaluations_since_best: validations in a row that were not
    better than all before; an equally good one replaces the best, being newer, and counts all the same. evaluated_step:
    of the last validation. A signal postpones a validation that is due; the resumed run begins with it. failed: the
    last step ended the run, because its loss or gradient was not finite.
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
        """Whether something that happens every so many steps is due now; nothing is before the first step."""
        return self.step > 0 and self.step % every_steps == 0

    def validation_due(self, every_steps: int) -> bool:
        """Whether a validation is due now and has not yet been done."""
        return self.due(every_steps) and self.evaluated_step != self.step

    def used_up(self, limit: TrainerConfig) -> bool:
        """Whether the steps, the seconds or the patience are used up; epochs end with the data."""
        return (
            (limit.max_steps is not None and self.step >= limit.max_steps)
            or (limit.max_seconds is not None and self.seconds >= limit.max_seconds)
            or (limit.patience is not None and self.evaluations_since_best >= limit.patience)
        )

    def take(self, criterion: Criterion) -> bool:
        """Count a validation of this step. Returns whether its weights are the ones to keep."""
        self.evaluated_step = self.step
        self.evaluations_since_best = 0 if criterion.better_than(self.best) else self.evaluations_since_best + 1
        if not criterion.replaces(self.best):
            return False
        self.best, self.best_step = criterion, self.step
        return True


class Observer(Protocol):
    """Receives the events of training: log files, the display."""

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        """A log line is due. scalars: over the steps since the last one, by tag, e.g. train/loss."""

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        """A validation is done. better: its weights are the best so far, and are kept."""

    def saving(self, progress: Progress) -> None:
        """A checkpoint is about to be written: what was logged so far must survive a kill."""


@dataclass
class Interval:
    """Sums since the last log line, kept in checkpoints so that a resumed run logs the same next line. nats: the summed
    loss."""

    nats: float = 0.0
    targets: int = 0
    tokens: int = 0
    seconds: float = 0.0
    gradient_norms: list[float] = field(default_factory=list)

    def scalars(self, progress: Progress, learning_rate: float, loss_scale: float | None) -> dict[str, float]:
        """The scalars of a log line, by tag. loss_scale: in fp16, else None."""
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
