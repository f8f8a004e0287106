"""What is decided before the first run: which runs, with which settings, sizes and budgets. Kept in plan.json, so that
a second start of the same command finds the same plan."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from seqlab.comparison.probe import Probe
from seqlab.comparison.request import Tune, slug
from seqlab.comparison.sizes import Sizes
from seqlab.core.files import write_json
from seqlab.errors import CheckpointError
from seqlab.runs.names import check_run_name

FORMAT = 1
_START_SECONDS = 6.0  # of a run: the process, the corpus, writing down what was found; where nobody measured it


@dataclass(frozen=True)
class Variant:
    """One row of the comparison. overrides: of its `train` commands, without the seed; existing: folders of runs
    by seed, which are read and not made. max_steps: None where other limits end training."""

    label: str
    model: str
    overrides: tuple[str, ...]
    sizes: Sizes | None
    max_steps: int | None
    validations: int
    probe: Probe | None
    existing: dict[int, str]

    def command(self, seed: int) -> list[str]:
        """The words after `seqlab train` that make one of its runs: without pictures, unless they were asked for, which
        would count in its memory."""
        asked = any(word.startswith("trainer.log_pictures=") for word in self.overrides)
        return [*self.overrides, *([] if asked else ["trainer.log_pictures=false"]), f"seed={seed}"]

    @property
    def slug(self) -> str:
        """The name of its folder."""
        return slug(self.label)

    @property
    def seconds(self) -> float:
        """What one run is expected to take, from start to end."""
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
    def promised(self) -> float:
        """The same where it can be promised: 0 where nobody knows how many steps there will be."""
        return self.seconds if self.max_steps is not None else 0.0


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before the first run. digest: of the request, seeds left out, so that more seeds
    can be added to what is there. notes: what a reader must know to judge it. tuned: what a search has tried, by label
    and value in the order of the trials, with the validation reached (None: it failed), and tune_ended: why it tried no
    more; the choice stands in the variants' overrides. data, data_sha256: what the tasks read when it was made. busy:
    other threads that ran while steps were measured."""

    format: int
    digest: str
    task: str
    primary: str
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    budget: str | None
    match: str | None
    tune: Tune | None
    notes: tuple[str, ...]
    config_dir: str | None = None
    data_sha256: str = ""
    tuned: dict[str, dict[str, float | None]] = field(default_factory=dict)
    tune_ended: dict[str, str] = field(default_factory=dict)
    data: dict[str, int | str] = field(default_factory=dict)
    busy: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values, as --dry-run --json gives them."""
        rows = [{**asdict(v), "seconds": v.seconds} for v in self.variants]
        return {**asdict(self), "variants": rows, "seconds": self.seconds, "more_seconds": self.more_seconds}

    @property
    def seconds(self) -> float:
        """What all runs are expected to take, one after the other; those whose steps are not known count short."""
        trials = self.tune.count if self.tune is not None else 0
        return sum(v.seconds * (len(self.seeds) + trials) for v in self.variants)

    @property
    def more_seconds(self) -> float:
        """What a search may take beyond that, where the best value is at an edge every time."""
        return (self.tune.more if self.tune is not None else 0) * sum(v.seconds for v in self.variants)


def folder_of(plan: Plan, runs_dir: Path, name: str | None) -> Path:
    """runs/compare/<name>, or a name made of task, models and a piece of the digest."""
    if name is not None:
        check_run_name(name, "--name")
    models = "-".join(variant.slug for variant in plan.variants)[:60].strip("-._")
    return runs_dir / "compare" / (name or f"{plan.task}-{models}-{plan.digest[:6]}")


def read_plan(folder: Path) -> Plan | None:
    """The plan that a comparison's folder holds; None if nothing was begun there. Raises CheckpointError if there
    are runs without a plan that can be read: with another plan they would not be one comparison."""
    remedy = "choose another --name, or move that folder away"
    try:
        plan = TypeAdapter(Plan).validate_json((folder / "plan.json").read_bytes())
    except FileNotFoundError:
        if any(folder.glob("*/seed-*")):
            raise CheckpointError(f"{folder} has runs, but its plan.json is missing", remedy) from None
        return None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / 'plan.json'} is damaged, or of another version of seqlab", remedy) from error
    if plan.format != FORMAT:
        raise CheckpointError(f"{folder / 'plan.json'} has format {plan.format}, this seqlab {FORMAT}", remedy)
    return plan


def write_plan(plan: Plan, folder: Path) -> None:
    """Replace plan.json whole."""
    write_json(folder / "plan.json", asdict(plan))
