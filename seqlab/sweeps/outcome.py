"""What a trial's run came to, read from its folder and its log."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from seqlab.comparison.reading import read_run
from seqlab.core.metric import validated
from seqlab.errors import NumericError
from seqlab.executors.job import Job
from seqlab.sweeps.trial import Trial


def validations_of(job: Job, primary: str) -> Iterator[tuple[int, float | None]]:
    """(step, the metric that decides) of each validation in the log that was read so far."""
    tag = f"val/{primary}"
    return ((line["step"], line[tag]) for line in job.lines if tag in line)


def trial_of(
    job: Job, number: int, swept: tuple[str, ...], told: int, primary: str, pruned: int | None
) -> Trial | None:
    """The trial of a run that has ended; None if it failed for a reason that is no result. pruned: the step at which
    it was pruned, which holds even if it was trained further before it could be stopped."""
    job.read_log()
    curve = tuple(validations_of(job, primary))
    if pruned is not None:
        kept = tuple(point for point in curve if point[0] <= pruned)
        return Trial(number, swept, told, number, "pruned", pruned, kept)
    if job.status == "done":
        return _complete(job, number, swept, told, curve)
    if job.code == NumericError.exit_code:
        return Trial(number, swept, told, number, "diverged", job.step, curve, reason=job.reason)
    return None


def _complete(
    job: Job, number: int, swept: tuple[str, ...], told: int, curve: tuple[tuple[int, float | None], ...]
) -> Trial | None:
    run = read_run(job.label, job.seed, job.folder)
    if run is None:
        return None
    found: dict[str, Any] = dict(run.result)
    criterion = validated(found)
    if not criterion.known:  # as bad as divergence
        return Trial(
            number, swept, told, number, "diverged", found["steps"], curve, reason="its validation is no number"
        )
    return Trial(
        number,
        swept,
        told,
        number,
        "complete",
        found["steps"],
        curve,
        tuple(metric for metric in criterion.metrics if math.isfinite(metric.value)),
        found["parameters"],
        found["seconds"],
    )
