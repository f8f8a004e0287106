"""The time of a validation against that of the training between two, and a note if validation takes longer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from seqlab.core.batch import Batch, positions_in
from seqlab.core.metric import Metric
from seqlab.training.progress import Progress
from seqlab.training.seeds import random_states, set_random_states
from seqlab.training.validation import evaluate

if TYPE_CHECKING:
    from seqlab.training.config import TrainerConfig
    from seqlab.training.trainer import Trainer

_NOTICED_SECONDS = 10.0  # of validation in a whole run; less is not worth a note
_MEASURED_SECONDS = 0.3


def slow_validation(
    takes: float, between: float, config: TrainerConfig, shorter: Callable[[float], str | None]
) -> str | None:
    """A note if a validation of `takes` seconds is longer than the `between` seconds of training between two, and all
    validations together are noticeable. shorter: the override that keeps a share of the validation split."""
    every, steps = config.eval_every_steps, config.max_steps
    due = max(1, steps // every) if steps is not None else 2
    if takes <= between or takes * due < _NOTICED_SECONDS:
        return None
    rarely = math.ceil(every * takes / between)
    rarely = -(-rarely // 10 ** (len(str(rarely)) - 2)) * 10 ** (len(str(rarely)) - 2) if rarely >= 100 else rarely
    part = shorter(between / takes)
    remedies = [
        *([f"on a part: {part}"] if part else []),
        f"less often: trainer.eval_every_steps={min(rarely, steps or rarely)}",
    ]
    return (
        f"a validation takes about {takes:,.0f} s, longer than the {between:,.3g} s of training between two of them"
        f"{f' ({due} are due)' if steps is not None else ''}; {', or '.join(remedies)}"
    )


def seconds_per_position(trainer: Trainer[Any], at_most: float) -> float:
    """Seconds of evaluation per position, timed on validation batches for `at_most` seconds, but on two at least. The
    first counts only where there is no other: a GPU loads its kernels in it."""
    task, device = trainer.task, trainer.device
    seen, taken = 0, 0.0

    def timed() -> Iterator[Batch]:
        nonlocal seen, taken
        started = ended = time.perf_counter()
        for number, batch in enumerate(task.validation_batches()):
            if number == 1:
                seen, started = 0, ended
            yield batch  # which is evaluated before the next one is asked for
            device.synchronise()
            ended = time.perf_counter()
            seen, taken = seen + batch.positions, ended - started
            if number and seen and taken > at_most:
                return

    evaluate(trainer.network, timed(), task.meter("validation"), device)
    return taken / max(seen, 1)


class ValidationWatch:
    """An Observer that times part of a validation at the second log line, and notes once if a whole one will take
    longer than the training between two. The first line's steps include compilation and loading kernels, so it is used
    only where a validation comes before the second."""

    def __init__(self, trainer: Trainer[Any], say: Callable[[str], None]) -> None:
        self.trainer, self.say, self.lines, self.looked = trainer, say, 0, False

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        config, self.lines = self.trainer.config, self.lines + 1
        validates = -(-progress.step // config.eval_every_steps) * config.eval_every_steps
        early = self.lines == 1 and validates >= progress.step + config.log_every_steps
        if early or self.looked or progress.evaluated_step or self.trainer.stop_signal is not None:
            return
        self.looked = True
        trainer = self.trainer
        drawn = random_states(trainer.device.name)
        try:
            each = seconds_per_position(trainer, _MEASURED_SECONDS)
        finally:
            set_random_states(trainer.device.name, *drawn)  # a user's own network may draw in evaluation too
        takes = each * positions_in(trainer.task.validation_batches())
        between = scalars["speed/step_milliseconds"] / 1000 * trainer.config.eval_every_steps
        if (said := slow_validation(takes, between, trainer.config, trainer.task.shorter_validation)) is not None:
            self.say(said)

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        """Nothing to do: its time is known now."""

    def saving(self, progress: Progress) -> None:
        """Nothing to store."""
