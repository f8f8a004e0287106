"""From a request to a plan: which runs with which settings, sizes and budgets. Made once and kept in plan.json, so
that a second start of the same command finds the same plan."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from seqlab.comparison.probe import Probe, probe
from seqlab.comparison.request import Asked, Budget, Request, Tune, key_of, merged, slug
from seqlab.comparison.sizes import Sizes, changes, match_size, sizes_of
from seqlab.config.run import RunConfig, load_run_config, read_run_config
from seqlab.errors import ConfigError, DataError, SeqlabError
from seqlab.interfaces import Task
from seqlab.run_folder import find_run
from seqlab.training.device import resolve_device

_FORMAT = 1
_START_SECONDS = 6.0  # of a run: the process, the corpus, writing down what was found


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
        return training + (self.validations + 2) * self.probe.validation_seconds + _START_SECONDS


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before the first run. digest: of the request, seeds left out, so that more seeds
    can be added to what is there. notes: what a reader must know to judge it."""

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

    def as_json(self) -> dict[str, Any]:
        """Plain values, as --dry-run --json gives them."""
        rows = [{**asdict(v), "seconds": v.seconds} for v in self.variants]
        return {**asdict(self), "variants": rows, "seconds": self.seconds}

    @property
    def seconds(self) -> float:
        """What all runs are expected to take, one after the other; those whose steps are not known count short."""
        trials = self.tune.count if self.tune is not None else 0
        return sum(v.seconds * (len(self.seeds) + trials) for v in self.variants)


def folder_of(plan: Plan, runs_dir: Path, name: str | None) -> Path:
    """runs/compare/<name>, or a name made of task, models and a piece of the digest."""
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ConfigError(f"--name {name!r}: a comparison's name has letters, digits, '.', '_' and '-' only")
    models = "-".join(variant.slug for variant in plan.variants)[:60].strip("-._")
    return runs_dir / "compare" / (name or f"{plan.task}-{models}-{plan.digest[:6]}")


def read_plan(folder: Path) -> Plan | None:
    """The plan that a comparison's folder holds; None if there is none that can be read."""
    try:
        return TypeAdapter(Plan).validate_json((folder / "plan.json").read_bytes())
    except (OSError, ValueError):
        return None


def write_plan(plan: Plan, folder: Path) -> None:
    """Replace plan.json whole."""
    temporary = folder / ".plan.json"
    temporary.write_text(json.dumps(asdict(plan), indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / "plan.json")


def draft(request: Request, config_dir: Path | None) -> tuple[Plan, dict[str, RunConfig]]:
    """The plan with nothing built or measured yet, and the config of each variant by label. Checks that it is one
    comparison: every setting exists, one task, one corpus."""
    configs: dict[str, RunConfig] = {}
    variants: list[Variant] = []
    for asked in request.asked:
        overrides = (f"model={asked.model}", *merged(request.shared, asked.overrides))
        configs[asked.label] = _load(overrides, asked, config_dir)
        variants.append(_undecided(asked.label, configs[asked.label], overrides, {}))
    for label, config, folders in _existing(request.runs, set(configs), config_dir):
        configs[label] = config
        variants.append(_undecided(label, config, (), folders))
    first = next(iter(configs.values()))
    notes = _check_alike(configs)
    seeds = _seeds(request, first, variants)
    if request.budget is not None:
        _check_limits(request)
    digest = hashlib.sha256(
        json.dumps(
            [
                [[label, _without_seed(config.yaml)] for label, config in configs.items()],
                [str(run) for run in request.runs],
                request.budget and request.budget.text,
                request.match and asdict(request.match),
                request.tune and asdict(request.tune),
                first.seed,
            ]
        ).encode()
    ).hexdigest()
    match = None if request.match is None else f"{request.match.part}={request.match.target}"
    budget = None if request.budget is None else request.budget.text
    plan = Plan(
        _FORMAT, digest, first.names["task"], "", tuple(variants), seeds, budget, match, request.tune, tuple(notes)
    )
    if len({variant.slug for variant in variants}) < len(variants):
        raise ConfigError(
            "two labels make the same folder name: " + ", ".join(v.label for v in variants),
            'give one a name of its own: "name: lstm model.layers=2"',
        )
    return plan, configs


def complete(plan: Plan, request: Request, configs: dict[str, RunConfig], config_dir: Path | None) -> Plan:
    """The plan with sizes matched, steps measured and budgets turned into steps."""
    tasks: dict[Any, Task[Any]] = {}
    variants: list[Variant] = []
    primary = next((_primary_of(folder) for v in plan.variants for folder in v.existing.values()), "")
    for variant in plan.variants:
        config = configs[variant.label]
        try:
            if config.task not in tasks:
                tasks[config.task] = config.task.build()
                primary = tasks[config.task].meter("validation").primary
            variants.append(_complete(variant, config, tasks[config.task], request, config_dir))
        except SeqlabError as error:
            if variant.existing:  # its figures stand in its files; only what is measured anew is missing
                variants.append(variant)
                continue
            raise type(error)(f"{variant.label}: {error.what}", error.hint, error.allowed) from error
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the runs have processes of their own
    return replace(plan, variants=tuple(variants), primary=primary)


def _complete(
    variant: Variant, config: RunConfig, task: Task[Any], request: Request, config_dir: Path | None
) -> Variant:
    device = resolve_device(config.device, deterministic=config.deterministic)
    if request.match is not None and not variant.existing:
        matched = match_size(task, config.model, request.match.part, request.match.target)
        variant = replace(variant, overrides=merged(variant.overrides, tuple(changes(config.model, matched))))
        config = load_run_config(list(variant.overrides), config_dir)
    from seqlab.experiment import prepare

    prepare(config, device)
    measured = probe(config, task, device)
    if request.budget is not None and not variant.existing:
        steps = _steps(request.budget, measured)
        limits = [f"trainer.max_steps={steps}", "trainer.max_epochs=null", "trainer.max_seconds=null"]
        if not any(key_of(o) == "trainer.eval_every_steps" for o in variant.overrides):
            # as many points of the curve as the task's own length has
            limits.append(f"trainer.eval_every_steps={max(1, round(steps / variant.validations))}")
        variant = replace(variant, overrides=merged(variant.overrides, tuple(limits)))
        config = load_run_config(list(variant.overrides), config_dir)
    return replace(
        _undecided(variant.label, config, variant.overrides, variant.existing),
        sizes=sizes_of(task, config.model),
        probe=measured,
    )


def _primary_of(run: str) -> str:
    return str(json.loads((Path(run) / "result.json").read_text(encoding="utf-8"))["primary"])


def _steps(budget: Budget, measured: Probe) -> int:
    each = {
        "seconds": measured.step_seconds,
        "tokens": measured.tokens_per_step,
        "flop": measured.tokens_per_step * measured.flops_per_token,
        "steps": 1.0,
    }[budget.unit]
    steps = int(budget.amount / each + 1e-9)
    if steps < 1:
        raise ConfigError(
            f"--budget {budget.text} is less than one step, which takes {each:.3g} {budget.unit}", "give it more"
        )
    return steps


def _undecided(label: str, config: RunConfig, overrides: tuple[str, ...], existing: dict[int, str]) -> Variant:
    steps = config.trainer.max_steps
    validations = max(1, -(-(steps or 1) // config.trainer.eval_every_steps))
    return Variant(label, config.names["model"], overrides, None, steps, validations, None, existing)


def _load(overrides: tuple[str, ...], asked: Asked, config_dir: Path | None) -> RunConfig:
    try:
        return load_run_config(list(overrides), config_dir)
    except ConfigError as error:
        if asked.overrides or not error.what.startswith("there is no model"):
            raise ConfigError(f"{asked.label}: {error.what}", error.hint, error.allowed) from error
        hint = error.hint.replace("model=", "")
        raise ConfigError(error.what, hint, error.allowed.replace("model:", "models:")) from error


def _existing(
    runs: tuple[Path, ...], taken: set[str], config_dir: Path | None
) -> list[tuple[str, RunConfig, dict[int, str]]]:
    """(label, config, folders by seed): runs that differ in nothing but the seed are one row."""
    rows: dict[str, tuple[RunConfig, dict[int, str]]] = {}
    for run in runs:
        folder = find_run(run)
        if not (folder / "result.json").is_file():
            raise ConfigError(f"{run} has no result: it was stopped or failed", "compare runs that are complete")
        config = read_run_config(folder / "config.yaml", config_dir)
        row = rows.setdefault(_without_seed(config.yaml), (config, {}))[1]
        if config.seed in row:
            raise ConfigError(f"{run} and {row[config.seed]} are runs of one config with one seed", "leave one out")
        row[config.seed] = str(folder)
    found: list[tuple[str, RunConfig, dict[int, str]]] = []
    models = [config.names["model"] for config, _ in rows.values()]
    for config, folders in rows.values():
        model = config.names["model"]
        name = Path(next(iter(folders.values()))).name
        label = model if models.count(model) == 1 and model not in taken else f"{model} {name}"
        found.append((label, config, folders))
    return found


def _without_seed(yaml: str) -> str:
    """A config as text, without what may differ between runs of one row."""
    return re.sub(r"^(seed|runs_dir): .*\n", "", yaml, flags=re.MULTILINE)


def _seeds(request: Request, first: RunConfig, variants: list[Variant]) -> tuple[int, ...]:
    """Those of the runs that exist, so that what is made anew pairs with them, filled up to as many as asked for."""
    found = set[int]().union(*(variant.existing for variant in variants))
    seed = first.seed if not found else 0
    while request.asked and len(found) < request.seeds:
        found.add(seed)
        seed += 1
    return tuple(sorted(found))


def _check_limits(request: Request) -> None:
    assert request.budget is not None
    words = (*request.shared, *(o for asked in request.asked for o in asked.overrides))
    for word in words:
        if key_of(word) in ("trainer.max_steps", "trainer.max_epochs", "trainer.max_seconds"):
            raise ConfigError(f"'{word}' and --budget {request.budget.text} both say when to stop", "keep one of them")


def _check_alike(configs: dict[str, RunConfig]) -> list[str]:
    """Refuse two corpora; tell of other settings of task and trainer that differ."""
    (first, reference), *rest = configs.items()
    notes: list[str] = []
    for label, config in rest:
        if config.names["task"] != reference.names["task"] or type(config.task) is not type(reference.task):
            raise ConfigError(
                f"{first} is on {reference.names['task']} and {label} on {config.names['task']}",
                "compare models on one task",
            )
        for group in ("task", "trainer"):
            ours, theirs = asdict(getattr(reference, group)), asdict(getattr(config, group))
            for key in ours:
                if ours[key] == theirs[key]:
                    continue
                if "corpus" in key:
                    raise DataError(f"{first} has {group}.{key}={ours[key]}, {label} {theirs[key]}", "use one corpus")
                effect = ": another data order" if group == "task" else ""
                notes.append(f"{group}.{key} is {ours[key]} for {first} and {theirs[key]} for {label}{effect}")
    return notes
