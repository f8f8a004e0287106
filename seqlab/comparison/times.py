"""What the runs of a comparison took beside what their plan promised, and why, as far as that is known."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seqlab.comparison.jobs import Job
from seqlab.comparison.plan import Plan
from seqlab.comparison.reading import Run
from seqlab.drawing.numbers import clock

_AGREE = 0.25  # the share of what was promised by which both may differ without a word
_BUSY = 1.2  # load for each core


@dataclass(frozen=True)
class Taken:
    """One process of a run: what the plan promised for the whole run (0: nothing), what the process took, whether it
    went on with what another had begun, and the machine's load average meanwhile, if that is known."""

    run: str
    promised: float
    seconds: float
    resumed: bool
    load: float | None


@dataclass(frozen=True)
class Times:
    """Seconds of all runs, from the start of each process to its end, and why promise and truth are not alike."""

    promised: float
    taken: float
    why: tuple[str, ...]

    def text(self) -> str:
        """The same for people."""
        promised = f"promised {clock(self.promised)}, " if self.promised else ""
        return f"runs: {promised}took {clock(self.taken)}{': ' if self.why else ''}{'; '.join(self.why)}"

    def as_json(self) -> dict[str, Any]:
        """Plain values, for summary.json."""
        return {"promised_seconds": self.promised, "taken_seconds": self.taken, "why": list(self.why)}


def keep(job: Job, folder: Path) -> None:
    """Write down what a process that has ended took: a line of its own, which a kill of the next one leaves alone."""
    name = job.folder.relative_to(folder).as_posix()
    taken = Taken(name, job.promised, job.seconds, job.resumed, job.load)
    with (folder / "times.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"\n{json.dumps(asdict(taken))}\n")  # the last line may have been cut off


def read_taken(folder: Path) -> list[Taken]:
    """Every process that was written down."""
    try:
        lines = (folder / "times.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    found: list[Taken] = []
    for line in lines:
        with suppress(ValueError, TypeError):  # an empty one, or cut off by a kill
            found.append(Taken(**json.loads(line)))
    return found


def times_of(plan: Plan, runs: Sequence[Run], taken: Sequence[Taken], folder: Path) -> Times | None:
    """Promise and truth of all runs that somebody timed; None where there is none."""
    if not taken:
        return None
    by_run = {entry.run: entry.promised for entry in taken}  # a run that was resumed was promised once
    promised, seconds = sum(by_run.values()), sum(entry.seconds for entry in taken)
    if promised and abs(seconds - promised) <= _AGREE * promised:
        return Times(promised, seconds, ())
    places = {
        Path(run.folder).relative_to(folder).as_posix(): run for run in runs if folder in Path(run.folder).parents
    }
    timed = [run for place, run in places.items() if place in by_run]
    longer = seconds > promised
    why = _longer(plan, taken) if longer else _shorter(plan, timed, taken)
    where = _where(plan, timed, taken, places)
    return Times(promised, seconds, (*where, *(why or ["nothing that is known explains it"])))


def _where(plan: Plan, timed: Sequence[Run], taken: Sequence[Taken], places: dict[str, Run]) -> list[str]:
    """Which part of the compared runs it was."""
    variants = {variant.label: variant for variant in plan.variants}
    steps = sum(float(run.result["seconds"]) for run in timed)
    whole = sum(entry.seconds for entry in taken if entry.run in places)
    planned = [variants[run.label] for run in timed]
    expected = sum((v.max_steps or 0) * v.probe.step_seconds for v in planned if v.probe is not None)
    rest = sum(v.seconds for v in planned) - expected
    if not expected:
        return []
    return [
        f"steps took {clock(steps)} and {clock(expected)} were expected, all else {clock(max(0.0, whole - steps))} and "
        f"{clock(rest)}"
    ]


def _longer(plan: Plan, taken: Sequence[Taken]) -> list[str]:
    why: list[str] = []
    cores = os.cpu_count() or 1
    loads = [(entry.load, entry.seconds) for entry in taken if entry.load is not None]
    load = sum(a * s for a, s in loads) / max(1e-9, sum(s for _, s in loads))
    if load > _BUSY * cores:
        why.append(f"the machine was busy while they ran (load average {load:.1f} on {cores} cores)")
    unplanned = [entry for entry in taken if not entry.promised]
    trials = [entry for entry in unplanned if entry.run.startswith("tune/")]
    if trials:
        count = len({entry.run for entry in trials})
        spent = clock(sum(entry.seconds for entry in trials))
        why.append(f"the search tried {count} more value{'s' * (count > 1)} ({spent})")
    if len(unplanned) > len(trials):
        why.append("of some models neither steps nor their number were known beforehand")
    if (resumed := len({entry.run for entry in taken if entry.resumed})) > 0:
        why.append(f"{_runs(resumed)} stopped and resumed, and each start costs again")
    if any("device.compile=always" in variant.overrides for variant in plan.variants):
        why.append("models were compiled, which is not in the promise")
    return why


def _shorter(plan: Plan, timed: Sequence[Run], taken: Sequence[Taken]) -> list[str]:
    why: list[str] = []
    if plan.busy:
        why.append(f"the machine was busy while steps were measured ({plan.busy} other threads)")
    steps = {variant.label: variant.max_steps or 0 for variant in plan.variants}
    if (early := sum(int(run.result["steps"]) < steps[run.label] for run in timed)) > 0:
        why.append(f"{_runs(early)} over before the last step (patience, seconds or epochs)")
    begun = {entry.run for entry in taken if not entry.resumed}
    if (partly := len({entry.run for entry in taken} - begun)) > 0:
        why.append(f"{_runs(partly)} resumed, and what was done before was not timed")
    if any("device.compile=always" in variant.overrides for variant in plan.variants):
        why.append("steps were measured before models were compiled")
    return why


def _runs(count: int) -> str:
    return f"{count} run{'s were' if count > 1 else ' was'}"
