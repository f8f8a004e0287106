"""From a request to a plan in which nothing is built or measured yet."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path

from seqlab.comparison.existing import existing_runs, without_seed
from seqlab.comparison.options import Tuning
from seqlab.comparison.plan import FORMAT, OTHER_ORDER, Plan, Variant, new_variant
from seqlab.comparison.request import ModelSpec, Request
from seqlab.comparison.trials import initial_values
from seqlab.config.overrides import key_of, merged, spelled
from seqlab.config.run import RunConfig, check_trackers, load_run_config
from seqlab.errors import ConfigError
from seqlab.runs.catalogue import named_run, pinned_start, read_run_files
from seqlab.runs.code import code_sha256
from seqlab.runs.ranking import group_of

_LIMITS = ("trainer.max_steps", "trainer.max_epochs", "trainer.max_seconds")


def parse_plan(request: Request, config_dir: Path | None) -> tuple[Plan, dict[str, RunConfig]]:
    """The plan without sizes, measurements and budgets, and each variant's config by label.

    Raises ConfigError for a setting that does not exist, and for models that would not be judged on the same data.
    """
    _check_overrides(request)
    # seed and runs_dir belong to a single run and are added to each
    shared = tuple(override for override in request.overrides if key_of(override) not in ("seed", "runs_dir"))
    configs: dict[str, RunConfig] = {}
    variants: list[Variant] = []
    base_seed = 0
    own_seed = tuple(override for override in request.overrides if key_of(override) == "seed")
    for spec in request.models:
        overrides = (f"model={spec.model}", *merged(shared, spec.overrides))
        config = _load((*overrides, *own_seed), spec, config_dir)
        # `last` would be another run as soon as this comparison has made one
        if start := pinned_start(config.init_from, request.runs_dir):
            overrides = merged(overrides, start)
            config = _load((*overrides, *own_seed), spec, config_dir)
        configs[spec.label], base_seed = config, config.seed
        variants.append(new_variant(spec.label, configs[spec.label], overrides, {}))
    runs = tuple(named_run(str(run), request.runs_dir) for run in request.runs)
    for label, config, folders in existing_runs(runs, set(configs), config_dir):
        configs[label] = config
        variants.append(new_variant(label, config, (), folders))
    if request.tune is not None:
        _check_trials(request.tune, variants, configs, config_dir)
    if len({variant.slug for variant in variants}) < len(variants):
        raise ConfigError(
            "two labels make the same folder name: " + ", ".join(v.label for v in variants),
            'give one a name of its own: "name: lstm model.layers=2"',
        )
    seeds = _seeds(request, base_seed, variants)
    for spec, variant in zip(request.models, variants, strict=False):
        if any("${seed}" in override for override in variant.overrides):  # as folds, of which there are ten
            _load((*variant.overrides, f"seed={seeds[-1]}"), spec, config_dir)
    notes = _differing_settings(configs, variants, request)
    # with other code of the user's own it is another comparison
    code = [code_sha256(config.tree, config_dir) for config in configs.values()]
    digest = hashlib.sha256(
        json.dumps(
            [
                [[label, without_seed(config.yaml)] for label, config in configs.items()],
                [str(run) for run in runs],
                request.budget and request.budget.text,
                request.match and asdict(request.match),
                request.tune and asdict(request.tune),
                base_seed,
                *([code] if any(code) else []),
            ]
        ).encode()
    ).hexdigest()
    plan = Plan(
        format=FORMAT,
        digest=digest,
        task=next(iter(configs.values())).names["task"],
        primary="",
        variants=tuple(variants),
        seeds=seeds,
        budget=None if request.budget is None else request.budget.text,
        match=None if request.match is None else f"{request.match.part}={request.match.target}",
        tune=request.tune,
        notes=tuple(notes),
        config_dir=None if config_dir is None else str(config_dir),
    )
    return plan, configs


def _load(overrides: tuple[str, ...], spec: ModelSpec, config_dir: Path | None) -> RunConfig:
    try:
        config = load_run_config(list(overrides), config_dir)
        check_trackers(config)
    except ConfigError as error:
        if spec.overrides or not error.what.startswith("there is no model"):
            raise ConfigError(f"{spec.label}: {error.what}", error.hint, error.allowed) from error
        hint = error.hint.replace("model=", "")
        raise ConfigError(error.what, hint, error.allowed.replace("model:", "models:")) from error
    if (processes := config.device.processes) > 1:
        raise ConfigError(
            f"{spec.label}: device.processes={processes}: here each run is one process, which is what is measured "
            "beforehand",
            "leave it out, and make several runs at a time: --jobs 2",
            "runs of several processes: seqlab train, and then seqlab compare RUN RUN",
        )
    return config


def _seeds(request: Request, base: int, variants: list[Variant]) -> tuple[int, ...]:
    """Those of existing runs, so that new runs have the same ones, filled up to the number wanted."""
    seeds = set[int]().union(*(variant.existing for variant in variants))
    seed = base
    while request.models and len(seeds) < request.seeds:
        seeds.add(seed)
        seed += 1
    return tuple(sorted(seeds))


def _check_overrides(request: Request) -> None:
    """Refuse overrides that contradict an option, and those without effect."""
    for override in (*request.overrides, *(o for spec in request.models for o in spec.overrides)):
        if request.budget is not None and key_of(override) in _LIMITS:
            what = f"'{override}' and --budget {request.budget.text} both say when to stop"
            raise ConfigError(what, "keep one of them")
    for spec in request.models:
        for override in spec.overrides:
            if request.tune is not None and key_of(override) == request.tune.key:
                raise ConfigError(f"'{override}' of {spec.label} is what --tune searches", "keep one of them")
    options = {"--budget": request.budget, "--match": request.match, "--tune": request.tune}
    idle = [option for option, value in options.items() if value is not None]
    idle += [override for override in request.overrides if key_of(override) != "runs_dir"]
    if not request.models and idle:
        raise ConfigError(
            f"these runs exist already: {idle[0]} has no effect", "leave it out, or name a model to train"
        )


def _check_trials(
    tune: Tuning, variants: list[Variant], configs: dict[str, RunConfig], config_dir: Path | None
) -> None:
    """Every trial of a search must be a valid config before the first of them runs."""
    for variant in (variant for variant in variants if not variant.existing):
        spec = ModelSpec(variant.label, variant.model, variant.overrides)
        for value in initial_values(tune, configs[variant.label], variant.label):
            _load(merged(variant.overrides, (f"{tune.key}={value}",)), spec, config_dir)


def _differing_settings(configs: dict[str, RunConfig], variants: list[Variant], request: Request) -> list[str]:
    """Notes on settings of task, trainer and device that differ; refuses models not judged on the same data."""
    (first, reference), *rest = configs.items()
    notes: list[str] = []
    groups = {v.label: {group_of(read_run_files(Path(run))) for run in v.existing.values()} for v in variants}
    for label, config in rest:
        judged_alike = len(groups[first] | groups[label]) == 1 and bool(groups[first] and groups[label])
        notes += differences(first, reference, label, config, judged_alike=judged_alike)
    if request.budget is not None or request.match is not None or request.tune is not None:
        notes += [
            f"{v.label} is an existing run: budget, match and search do not apply" for v in variants if v.existing
        ]
    return notes


def differences(
    first: str, reference: RunConfig, label: str, config: RunConfig, *, judged_alike: bool = False
) -> list[str]:
    """Notes on settings of task, trainer and device that differ. judged_alike: both are known to have the same data.
    Raises ConfigError where they would not be judged on the same data."""
    if config.names["task"] != reference.names["task"] or type(config.task) is not type(reference.task):
        raise ConfigError(
            f"{first} is on {reference.names['task']} and {label} on {config.names['task']}",
            "compare models on one task",
        )
    if why := reference.task.incomparable(config.task):
        what, _, hint = why.partition("; ")
        raise ConfigError(f"{first} and {label}: {what}", hint)
    free = {
        "task": config.task.training_settings,
        **{group: [f.name for f in fields(getattr(config, group))] for group in ("trainer", "device")},
    }
    notes: list[str] = []
    for group, may_differ in free.items():
        ours, theirs = asdict(getattr(reference, group)), asdict(getattr(config, group))
        for key in (key for key in ours if ours[key] != theirs[key]):
            what = f"{group}.{key} is {spelled(ours[key])} for {first} and {spelled(theirs[key])} for {label}"
            if key in may_differ:
                notes.append(what + (f": {OTHER_ORDER}" if group == "task" else ""))
            elif judged_alike:  # the same files under different names
                notes.append(f"{what}: the same data, metric and splits, as the runs recorded them")
            else:
                raise ConfigError(f"{what}: they would not be judged on the same data", "give all the same")
    return notes
