"""How progress of a run is reported."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seqlab.drawing.numbers import clock, compact, figure, number
from seqlab.errors import printable
from seqlab.training.progress import Observer, Progress

if TYPE_CHECKING:  # which need torch
    from seqlab.core.metric import Metric
    from seqlab.training.config import TrainerConfig


class Reporter:
    """Reports warnings only, on stderr: the default for programs. The command line has its own (cli/display.py).
    quiet: no progress is printed."""

    quiet: bool = True

    def say(self, text: str) -> None:
        """Print one line."""

    def warn(self, text: str) -> None:
        """Print a warning, even if nothing else is printed."""
        print(f"warning: {printable(text)}", file=sys.stderr)

    @contextmanager
    def training(self, limits: TrainerConfig) -> Iterator[tuple[Observer, ...]]:
        """Observers for the time of training."""
        yield ()


class PlainReporter(Reporter):
    """Prints plain lines, for verbose=True and notebooks."""

    quiet = False

    def say(self, text: str) -> None:
        print(printable(text), flush=True)

    @contextmanager
    def training(self, limits: TrainerConfig) -> Iterator[tuple[Observer, ...]]:
        yield (ProgressLines(limits, self.say),)


def reporter_of(verbose: bool, reporter: Reporter | None) -> Reporter:
    """The given reporter, or the one that `verbose` stands for."""
    return reporter or (PlainReporter() if verbose else Reporter())


class ProgressLines:
    """An Observer that prints a plain line every few seconds and at each validation."""

    def __init__(self, limits: TrainerConfig, say: Callable[[str], None], every_seconds: float = 5.0) -> None:
        self.limits, self.say, self.every_seconds = limits, say, every_seconds
        self._progress = Progress()
        self._scalars: dict[str, float] = {}
        self._last_line = time.monotonic()

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        self._progress, self._scalars = progress, scalars
        if time.monotonic() - self._last_line >= self.every_seconds:
            self._last_line = time.monotonic()
            self.say(self._line())

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        self.say(validation_line(progress, metrics, primary, better))

    def saving(self, progress: Progress) -> None:
        """Not shown."""

    def _share(self) -> float:
        """The used share, 0 to 1, of the budget that will run out first."""
        done, limits = self._progress, self.limits
        shares = [
            done.step / limits.max_steps if limits.max_steps else 0.0,
            done.seconds / limits.max_seconds if limits.max_seconds else 0.0,
            done.epoch / limits.max_epochs if limits.max_epochs else 0.0,
        ]
        return min(1.0, max(shares))

    def _left(self) -> str:
        share = self._share()
        return clock(self._progress.seconds * (1 - share) / share) if share > 0 else "?"

    def _of(self) -> str:
        return f"/{self.limits.max_steps}" if self.limits.max_steps else ""

    def _line(self) -> str:
        speed = compact(self._scalars["speed/tokens_per_second"])
        return (
            f"step {self._progress.step}{self._of()}: loss {number(self._scalars['train/loss'])}, "
            f"gradient norm {self._norm()}, {speed} tokens/s, {self._left()} left"
        )

    def _norm(self) -> str:
        """The highest norm since the last log line: one step may be enough to ruin a network."""
        return compact(self._scalars["optim/gradient_norm_max"])


def validation_line(progress: Progress, metrics: Mapping[str, Metric], primary: str, better: bool) -> str:
    """One line on a validation."""
    text = f"step {progress.step}: validation {primary} {figure(metrics[primary])}"
    loss = metrics.get("loss")
    text += f", loss {figure(loss)}" if loss is not None and primary != "loss" else ""
    return text + ("  (best)" if better else "")
