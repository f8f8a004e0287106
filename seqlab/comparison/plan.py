"""What is decided before the first run: which runs, with which settings, sizes and budgets. It is stored in plan.json,
where the same command finds it when it is started again."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from seqlab.comparison.options import Tuning
from seqlab.comparison.probe import Probe
from seqlab.comparison.sizes import Sizes
from seqlab.config.overrides import is_logging
from seqlab.config.run import RunConfig
from seqlab.core.files import write_json
from seqlab.errors import CheckpointError
from seqlab.runs.names import ELSEWHERE, check_run_name

FORMAT = 1
OTHER_ORDER = "not the same order of data"
_START_SECONDS = 6.0  # of a run that was not measured: starting its process, reading the corpus, writing its result


@dataclass(frozen=True)
class Stored:
    """What is stored as plan.json. format: of the file."""

    format: int


StoredT = TypeVar("StoredT", bound=Stored)


@dataclass(frozen=True)
class Variant:
    """One row of the comparison. overrides: of its `train` commands, without the seed. existing: the folders, by seed,
    of runs that existed before; empty where the comparison trains the model itself. max_steps: None where other limits
    end training. validations: during training."""

    label: str
    model: str
    overrides: tuple[str, ...]
    sizes: Sizes | None
    max_steps: int | None
    validations: int
    probe: Probe | None
    existing: dict[int, str]

    def command(self, seed: int) -> list[str]:
        """The arguments of the `seqlab train` that makes one of its runs."""
        return [*self.overrides, f"seed={seed}"]

    @property
    def slug(self) -> str:
        """The name of its folder."""
        return slug(self.label)

    @property
    def estimated_seconds(self) -> float:
        """What one run should take, from the start of its process to the end; without its training where the number of
        steps is unknown."""
        if self.probe is None or self.existing:
            return 0.0
        training = (self.max_steps or 0) * self.probe.step_seconds
        each, last = self.probe.validation_seconds, self.probe.final_seconds
        start = self.probe.start_seconds
        ends = (2 * each if last is None else last) + (_START_SECONDS if start is None else start)
        return training + self.validations * each + ends

    def run_folder(self, comparison: Path, seed: int) -> Path:
        """Where the comparison in that folder makes its run with this seed."""
        return comparison / self.slug / f"seed-{seed}"

    @property
    def known_seconds(self) -> float:
        """The same, or 0 where the number of steps is unknown."""
        return self.estimated_seconds if self.max_steps is not None else 0.0

    def with_overrides(self, overrides: tuple[str, ...], config: RunConfig) -> Variant:
        """The variant with these overrides instead. config: what they make."""
        steps = config.trainer.max_steps
        validations = max(1, -(-(steps or 1) // config.trainer.eval_every_steps))
        return replace(self, overrides=overrides, max_steps=steps, validations=validations)


def new_variant(label: str, config: RunConfig, overrides: tuple[str, ...], existing: dict[int, str]) -> Variant:
    """A variant of which nothing is measured yet."""
    empty = Variant(label, config.names["model"], (), None, None, 1, None, existing)
    return empty.with_overrides(overrides, config)


@dataclass(frozen=True)
class Plan(Stored):
    """Everything that is decided before the first run. digest: of the request without its seeds, so that seeds can be
    added later. notes: what a reader must know to judge the comparison. tuned: the values that a search has tried, by
    label and in their order, each with its validation metric (None: it failed); tune_ended: why it stopped there. The
    value chosen is among the variants' overrides. data, data_sha256: what the tasks read when the plan was made. busy:
    other threads that ran while steps were measured."""

    digest: str
    task: str
    primary: str
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    budget: str | None
    match: str | None
    tune: Tuning | None
    notes: tuple[str, ...]
    config_dir: str | None = None
    data_sha256: str = ""
    tuned: dict[str, dict[str, float | None]] = field(default_factory=dict)
    tune_ended: dict[str, str] = field(default_factory=dict)
    data: dict[str, int | str] = field(default_factory=dict)
    busy: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values, as --dry-run --json gives them."""
        rows = [{**asdict(v), "seconds": v.estimated_seconds} for v in self.variants]
        times = {"seconds": self.estimated_seconds, "more_seconds": self.extra_search_seconds}
        return {**asdict(self), "variants": rows, **times}

    def with_logging_of(self, typed: Plan) -> Plan:
        """The stored plan with the trackers of the same request as it was typed now: the digest leaves them out."""
        now = {variant.label: tuple(filter(is_logging, variant.overrides)) for variant in typed.variants}

        def renewed(variant: Variant) -> Variant:
            if tuple(filter(is_logging, variant.overrides)) == now[variant.label]:
                return variant
            others = (word for word in variant.overrides if not is_logging(word))
            return replace(variant, overrides=(*others, *now[variant.label]))

        return replace(self, variants=tuple(map(renewed, self.variants)))

    @property
    def to_train(self) -> tuple[Variant, ...]:
        """The variants that the comparison trains itself."""
        return tuple(variant for variant in self.variants if not variant.existing)

    @property
    def estimated_seconds(self) -> float:
        """What all runs should take, one after the other; of those whose steps are unknown only what is known."""
        trials = self.tune.count if self.tune is not None else 0
        return sum(v.estimated_seconds * (len(self.seeds) + trials) for v in self.variants)

    @property
    def extra_search_seconds(self) -> float:
        """What a search may take beyond that, where the best value is at an edge every time."""
        return (self.tune.extra if self.tune is not None else 0) * sum(v.estimated_seconds for v in self.variants)


def slug(label: str) -> str:
    """A label as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._=+-]+", "_", label).strip("._") or "variant"


def folder_of(plan: Plan, runs_dir: Path, name: str | None) -> Path:
    """runs/compare/<name>, or a name made of task, models and a piece of the digest."""
    if name is not None:
        check_run_name(name, "--name")
    models = "-".join(variant.slug for variant in plan.variants)[:60].strip("-._")
    return runs_dir / "compare" / (name or f"{plan.task}-{models}-{plan.digest[:6]}")


def read_plan(folder: Path) -> Plan | None:
    """The plan stored in a comparison's folder, as `stored_plan` reads it."""
    return stored_plan(Plan, folder, FORMAT, "*/seed-*")


def stored_plan(kind: type[StoredT], folder: Path, version: int, runs: str) -> StoredT | None:
    """The plan stored in a folder; None if there is neither a plan nor a run, which are found as `runs`. Raises
    CheckpointError if there are runs without a readable plan of this version: under a new plan they would not belong
    together."""
    path = folder / "plan.json"
    try:
        plan = TypeAdapter(kind).validate_json(path.read_bytes())
    except FileNotFoundError:
        if any(folder.glob(runs)):
            raise CheckpointError(f"{folder} has runs, but its plan.json is missing", ELSEWHERE) from None
        return None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged, or of another version of seqlab", ELSEWHERE) from error
    if plan.format != version:
        raise CheckpointError(f"{path} has format {plan.format}, this seqlab {version}", ELSEWHERE)
    return plan


def write_plan(plan: Stored, folder: Path) -> None:
    """Replace plan.json whole."""
    write_json(folder / "plan.json", asdict(plan))
