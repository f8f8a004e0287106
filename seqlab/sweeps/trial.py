"""The outcome of a trial, and the file that keeps those of a sweep, from which it goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from seqlab.core.files import finite, write_text
from seqlab.core.metric import Criterion, Metric
from seqlab.errors import CheckpointError

Outcome = Literal["complete", "pruned", "diverged", "impossible"]


@dataclass(frozen=True)
class Trial:
    """What a trial came to; runs that failed for another reason are repeated, and come to nothing.

    number: from 0. overrides: its swept settings. told: how many trials a search knew when it chose them.
    run: the trial whose run it is: itself, or an earlier one with the same settings.
    outcome: it was trained to its end, pruned at `step`, has diverged, or its settings do not fit together (`reason`).
    validations: of the metric that decides, by step; None for a value that is not finite. Of a pruned trial they end
    where it was pruned, even if it was trained further. metrics: of validation, with the best weights: the one that
    decides and those that break ties; none unless it is complete.
    """

    number: int
    overrides: tuple[str, ...]
    told: int
    run: int
    outcome: Outcome
    step: int = 0
    validations: tuple[tuple[int, float | None], ...] = ()
    metrics: tuple[Metric, ...] = ()
    parameters: int | None = None
    seconds: float | None = None
    reason: str = ""

    @property
    def criterion(self) -> Criterion:
        """By what it is chosen; known only for complete trials."""
        return Criterion(self.metrics)

    @property
    def value(self) -> float | None:
        """The metric that decides, on validation; None unless it is complete."""
        return self.metrics[0].value if self.metrics else None

    @property
    def last(self) -> float | None:
        """Its value, or that of its last validation."""
        return self.value if self.metrics else next((value for _, value in reversed(self.validations)), None)


_LINE = TypeAdapter(Trial)


def write_trials(trials: Sequence[Trial], folder: Path) -> None:
    """Replace trials.jsonl whole: one trial a line, in order."""
    lines = [json.dumps(finite(asdict(trial)), ensure_ascii=False) for trial in trials]
    write_text(folder / "trials.jsonl", "".join(f"{line}\n" for line in lines))


def read_trials(folder: Path) -> list[Trial]:
    """The trials that are known; empty if there is no file. Raises CheckpointError if it is damaged."""
    path = folder / "trials.jsonl"
    try:
        trials = [_LINE.validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged", "remove it: it is made anew from the runs") from error
    if [trial.number for trial in trials] != list(range(len(trials))):
        raise CheckpointError(f"{path} lacks trials", "remove it: it is made anew from the runs")
    return trials
