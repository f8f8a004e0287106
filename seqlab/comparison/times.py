"""The time that runs took, compared with the plan's estimate, and the known reasons for a difference."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.comparison.plan import Plan
from seqlab.comparison.reading import CompletedRun
from seqlab.drawing.numbers import clock
from seqlab.executors.job import Job

_TOLERANCE = 0.25  # of the estimate: a smaller difference needs no explanation
_BUSY = 1.2  # load for each core


@dataclass(frozen=True)
class ProcessTime:
    """The time of one process of a run. estimated: seconds of the whole run by the plan, 0 if unknown. resumed: whether
    it continued a run that another process had begun. load: the machine's load average during it."""

    run: str
    estimated: float
    seconds: float
    resumed: bool
    load: float | None

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> ProcessTime:
        """From a line of times.jsonl."""
        return cls(line["run"], line["promised"], line["seconds"], line["resumed"], line["load"])

    def as_json(self) -> dict[str, Any]:
        """A line of times.jsonl, whose keys have always been these."""
        values = {"run": self.run, "promised": self.estimated, "seconds": self.seconds}
        return {**values, "resumed": self.resumed, "load": self.load}


@dataclass(frozen=True)
class Times:
    """Seconds of all runs, from the start of each process to its end. reasons: why they differ, where they do by more
    than a quarter."""

    estimated: float
    actual: float
    reasons: tuple[str, ...]

    def text(self) -> str:
        """A sentence for a reader."""
        estimated = f"estimated {clock(self.estimated)}, " if self.estimated else ""
        reasons = f": {'; '.join(self.reasons)}" if self.reasons else ""
        return f"runs: {estimated}took {clock(self.actual)}{reasons}"

    def as_json(self) -> dict[str, Any]:
        """Plain values, for summary.json, whose keys have always been these."""
        return {"promised_seconds": self.estimated, "taken_seconds": self.actual, "why": list(self.reasons)}


def record_time(job: Job, folder: Path) -> None:
    """Append what a process that has ended took to times.jsonl in the comparison's folder."""
    name = job.folder.relative_to(folder).as_posix()
    taken = ProcessTime(name, job.estimated_seconds, job.seconds, job.resumed, job.load)
    with (folder / "times.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"\n{json.dumps(taken.as_json())}\n")  # a kill may have cut off the last line


def read_times(folder: Path) -> list[ProcessTime]:
    """Every process in times.jsonl."""
    try:
        lines = (folder / "times.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    found: list[ProcessTime] = []
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):  # an empty line, or one that a kill cut off
            found.append(ProcessTime.from_json(json.loads(line)))
    return found


def compare_times(plan: Plan, runs: Sequence[CompletedRun], taken: Sequence[ProcessTime], folder: Path) -> Times | None:
    """Estimated and actual time of all runs whose processes were timed; None if there are none."""
    if not taken:
        return None
    by_run = {entry.run: entry.estimated for entry in taken}  # of a run that was resumed once
    estimated, seconds = sum(by_run.values()), sum(entry.seconds for entry in taken)
    if estimated and abs(seconds - estimated) <= _TOLERANCE * estimated:
        return Times(estimated, seconds, ())
    places = {
        Path(run.folder).relative_to(folder).as_posix(): run for run in runs if folder in Path(run.folder).parents
    }
    timed = [run for place, run in places.items() if place in by_run]
    reasons = _longer(plan, taken) if seconds > estimated else _shorter(plan, timed, taken)
    parts = _by_part(plan, timed, taken, places)
    return Times(estimated, seconds, (*parts, *(reasons or ["no cause is known"])))


def _by_part(
    plan: Plan, timed: Sequence[CompletedRun], taken: Sequence[ProcessTime], places: Mapping[str, CompletedRun]
) -> list[str]:
    """How the runs' time divides into steps and the rest, compared with the estimate."""
    variants = {variant.label: variant for variant in plan.variants}
    steps = sum(float(run.result["seconds"]) for run in timed)
    whole = sum(entry.seconds for entry in taken if entry.run in places)
    planned = [variants[run.label] for run in timed]
    expected = sum((v.max_steps or 0) * v.probe.step_seconds for v in planned if v.probe is not None)
    rest = sum(v.estimated_seconds for v in planned) - expected
    if not expected:
        return []
    return [
        f"steps took {clock(steps)} and {clock(expected)} were expected, all else {clock(max(0.0, whole - steps))} and "
        f"{clock(rest)}"
    ]


def _longer(plan: Plan, taken: Sequence[ProcessTime]) -> list[str]:
    reasons: list[str] = []
    cores = os.cpu_count() or 1
    loads = [(entry.load, entry.seconds) for entry in taken if entry.load is not None]
    load = sum(a * s for a, s in loads) / max(1e-9, sum(s for _, s in loads))
    if load > _BUSY * cores:
        reasons.append(f"the machine was busy while they ran (load average {load:.1f} on {cores} cores)")
    unknown = [entry for entry in taken if not entry.estimated]
    trials = [entry for entry in unknown if entry.run.startswith("tune/")]
    if trials:
        count = len({entry.run for entry in trials})
        spent = clock(sum(entry.seconds for entry in trials))
        reasons.append(f"the search tried {count} more value{'s' * (count > 1)} ({spent})")
    if len(unknown) > len(trials):
        reasons.append("for some models the number of steps, or the time of one, was not known beforehand")
    if (resumed := len({entry.run for entry in taken if entry.resumed})) > 0:
        reasons.append(f"{_runs(resumed)} stopped and resumed, and each start costs again")
    if any("device.compile=always" in variant.overrides for variant in plan.variants):
        reasons.append("models were compiled, which is not in the estimate")
    return reasons


def _shorter(plan: Plan, timed: Sequence[CompletedRun], taken: Sequence[ProcessTime]) -> list[str]:
    reasons: list[str] = []
    if plan.busy:
        reasons.append(f"the machine was busy while steps were measured ({plan.busy} other threads)")
    steps = {variant.label: variant.max_steps or 0 for variant in plan.variants}
    if (early := sum(int(run.result["steps"]) < steps[run.label] for run in timed)) > 0:
        reasons.append(f"{_runs(early)} over before the last step (patience, seconds or epochs)")
    begun = {entry.run for entry in taken if not entry.resumed}
    if (partly := len({entry.run for entry in taken} - begun)) > 0:
        reasons.append(f"{_runs(partly)} resumed, and what was done before was not timed")
    if any("device.compile=always" in variant.overrides for variant in plan.variants):
        reasons.append("steps were measured before models were compiled")
    return reasons


def _runs(count: int) -> str:
    return f"{count} run{'s were' if count > 1 else ' was'}"
