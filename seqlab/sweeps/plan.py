"""What is decided before the first trial, stored in plan.json, where the same command finds it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from seqlab.comparison.plan import Plan, Stored, Variant, slug, stored_plan
from seqlab.config.overrides import key_of, merged
from seqlab.config.sources import GROUPS
from seqlab.errors import ConfigError
from seqlab.executors.job import Job
from seqlab.runs.names import ELSEWHERE, check_run_name
from seqlab.sweeps.request import SweepRequest

FORMAT = 1


@dataclass(frozen=True)
class SweepPlan(Stored):
    """models: the choices of groups, measured in the middle of all other axes, as the plan of a comparison. batch: how
    many trials a search chooses at once. seed: of the search, and of each run."""

    digest: str
    models: Plan
    batch: int
    seed: int

    def variant(self, label: str) -> Variant:
        """The model with this label."""
        return next(variant for variant in self.models.variants if variant.label == label)

    def with_logging_of(self, typed: SweepPlan) -> SweepPlan:
        """As a comparison's plan has it."""
        return replace(self, models=self.models.with_logging_of(typed.models))

    def estimated_seconds(self, request: SweepRequest) -> float:
        """What all trials should take, one after the other, if each takes as long as that in the middle; of those whose
        steps are unknown only what is known."""
        each = {variant.label: variant.estimated_seconds for variant in self.models.variants}
        if request.search is not None:
            return request.count * sum(each.values()) / len(each)
        return sum(each[label] * count for label, count in Counter(map(request.label, request.grid())).items())

    def as_json(self, request: SweepRequest) -> dict[str, Any]:
        """Plain values, as --dry-run --json gives them."""
        return {
            "task": self.models.task,
            "axes": {axis.key: list(axis.values) or str(axis) for axis in request.axes.values()},
            "search": request.search and asdict(request.search),
            "trials": request.count,
            "models": self.models.as_json()["variants"],
            "seconds": self.estimated_seconds(request),
            "seed": self.seed,
            "notes": list(self.models.notes),
        }


def digest_of(models: Plan, request: SweepRequest) -> str:
    """What makes it this sweep: not the number of trials of a search, so that some can be added later."""
    axes = [asdict(axis) for axis in request.axes.values()]
    search = request.search and request.search.prune
    return hashlib.sha256(json.dumps([models.digest, axes, search]).encode()).hexdigest()


def folder_of(plan: SweepPlan, request: SweepRequest, name: str | None) -> Path:
    """runs/sweep/<name>, or a name made of task, swept settings and a piece of the digest."""
    if name is not None:
        check_run_name(name, "--name")
    keys = "-".join(axis.key.rpartition(".")[2] for axis in request.axes.values())
    stem = slug(f"{plan.models.task}-{keys}"[:60])
    return request.models.runs_dir / "sweep" / (name or f"{stem}-{plan.digest[:6]}")


def read_plan(folder: Path, digest: str) -> SweepPlan | None:
    """The plan stored in a sweep's folder, as `stored_plan` reads it. Raises ConfigError if it is another sweep's."""
    plan = stored_plan(SweepPlan, folder, FORMAT, "trial-*")
    if plan is not None and plan.digest != digest:
        raise ConfigError(f"{folder} holds another sweep: other models, settings or code", ELSEWHERE)
    return plan


def run_folder(folder: Path, number: int) -> Path:
    """Where the sweep in that folder makes the run of a trial."""
    return folder / f"trial-{number:03}"


def trial_overrides(plan: SweepPlan, request: SweepRequest, swept: Sequence[str]) -> tuple[str, ...]:
    """The overrides of a trial's run: those of its model, with the device that was chosen for all, and its own."""
    single = [word for word in swept if key_of(word) not in GROUPS]
    return merged(plan.variant(request.label(swept)).overrides, single)


def job_of(plan: SweepPlan, request: SweepRequest, number: int, swept: Sequence[str], folder: Path) -> Job:
    """The run of a trial, of whose swept settings `swept` is the overrides."""
    variant = plan.variant(request.label(swept))
    single = [word for word in swept if key_of(word) not in GROUPS]
    return Job(
        variant.label,
        plan.seed,
        run_folder(folder, number),
        trial_overrides(plan, request, swept),
        None if plan.models.config_dir is None else Path(plan.models.config_dir),
        trial=" ".join(word[key_of(word).rfind(".") + 1 :] for word in single) or f"trial {number}",
        divergence_is_final=True,
        estimated_seconds=variant.known_seconds,
    )
