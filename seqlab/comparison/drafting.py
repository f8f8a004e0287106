"""From a request to a plan with nothing built or measured: settings checked, and that it is one comparison."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path

from seqlab.comparison.existing import existing_runs, without_seed
from seqlab.comparison.plan import FORMAT, Plan, Variant
from seqlab.comparison.request import Asked, Request, Tune
from seqlab.comparison.trials import first_values
from seqlab.config.overrides import key_of, merged, spelled
from seqlab.config.run import RunConfig, load_run_config
from seqlab.errors import ConfigError
from seqlab.runs.catalogue import named_run, pinned_start, read_run_files
from seqlab.runs.code import code_sha256
from seqlab.runs.ranking import group_of

_LIMITS = ("trainer.max_steps", "trainer.max_epochs", "trainer.max_seconds")


def draft(request: Request, config_dir: Path | None) -> tuple[Plan, dict[str, RunConfig]]:
    """The plan with nothing built or measured yet, and the config of each variant by label. Checks that it is one
    comparison: every setting exists, and all are judged on the same data."""
    _check_words(request)
    # what belongs to a run and not to its model: each run is given its own
    shared = tuple(word for word in request.shared if key_of(word) not in ("seed", "runs_dir"))
    configs: dict[str, RunConfig] = {}
    variants: list[Variant] = []
    base_seed = 0
    for asked in request.asked:
        overrides = (f"model={asked.model}", *merged(shared, asked.overrides))
        config = _load(overrides, asked, config_dir)
        if start := pinned_start(config.init_from, request.runs_dir):  # before there are newer runs than `last`
            overrides = merged(overrides, start)
            config = _load(overrides, asked, config_dir)
        configs[asked.label] = config
        base_seed = _load((*overrides, *(w for w in request.shared if key_of(w) == "seed")), asked, config_dir).seed
        variants.append(undecided(asked.label, configs[asked.label], overrides, {}))
    runs = tuple(named_run(str(run), request.runs_dir) for run in request.runs)
    for label, config, folders in existing_runs(runs, set(configs), config_dir):
        configs[label] = config
        variants.append(undecided(label, config, (), folders))
    if request.tune is not None:
        _check_trials(request.tune, variants, configs, config_dir)
    if len({variant.slug for variant in variants}) < len(variants):
        raise ConfigError(
            "two labels make the same folder name: " + ", ".join(v.label for v in variants),
            'give one a name of its own: "name: lstm model.layers=2"',
        )
    notes = _notes(configs, variants, request)
    # other code of the user's own is another comparison
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
        seeds=_seeds(request, base_seed, variants),
        budget=None if request.budget is None else request.budget.text,
        match=None if request.match is None else f"{request.match.part}={request.match.target}",
        tune=request.tune,
        notes=tuple(notes),
        config_dir=None if config_dir is None else str(config_dir),
    )
    return plan, configs


def undecided(label: str, config: RunConfig, overrides: tuple[str, ...], existing: dict[int, str]) -> Variant:
    """A variant of which nothing is measured."""
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


def _seeds(request: Request, base: int, variants: list[Variant]) -> tuple[int, ...]:
    """Those of the runs that exist, so that what is made anew pairs with them, filled up to as many as asked for."""
    found = set[int]().union(*(variant.existing for variant in variants))
    seed = base
    while request.asked and len(found) < request.seeds:
        found.add(seed)
        seed += 1
    return tuple(sorted(found))


def _check_words(request: Request) -> None:
    """Words that contradict an option, or that nothing would come of."""
    words = [*request.shared, *(o for asked in request.asked for o in asked.overrides)]
    if request.budget is not None:
        for word in words:
            if key_of(word) in _LIMITS:
                raise ConfigError(
                    f"'{word}' and --budget {request.budget.text} both say when to stop", "keep one of them"
                )
    if request.tune is not None:
        for asked in request.asked:
            for word in asked.overrides:
                if key_of(word) == request.tune.key:
                    raise ConfigError(f"'{word}' of {asked.label} is what --tune searches", "keep one of them")
    options = {"--budget": request.budget, "--match": request.match, "--tune": request.tune}
    idle = [option for option, value in options.items() if value is not None]
    idle += [word for word in request.shared if key_of(word) != "runs_dir"]
    if not request.asked and idle:
        raise ConfigError(
            f"these runs exist already: {idle[0]} has no effect", "leave it out, or name a model to train"
        )


def _check_trials(tune: Tune, variants: list[Variant], configs: dict[str, RunConfig], config_dir: Path | None) -> None:
    """Every trial of a search must be a config, before any of them is made."""
    for variant in variants:
        for value in first_values(tune, configs[variant.label], variant.label) if not variant.existing else ():
            asked = Asked(variant.label, variant.model, variant.overrides)
            _load(merged(variant.overrides, (f"{tune.key}={value}",)), asked, config_dir)


def _notes(configs: dict[str, RunConfig], variants: list[Variant], request: Request) -> list[str]:
    """Refuse models that are not judged on the same data; tell of other settings of task and trainer that differ."""
    (first, reference), *rest = configs.items()
    notes: list[str] = []
    groups = {v.label: {group_of(read_run_files(Path(run))) for run in v.existing.values()} for v in variants}
    for label, config in rest:
        judged_alike = len(groups[first] | groups[label]) == 1 and bool(groups[first] and groups[label])
        if config.names["task"] != reference.names["task"] or type(config.task) is not type(reference.task):
            raise ConfigError(
                f"{first} is on {reference.names['task']} and {label} on {config.names['task']}",
                "compare models on one task",
            )
        free = {
            "task": config.task.training_settings,
            **{group: [f.name for f in fields(getattr(config, group))] for group in ("trainer", "device")},
        }
        for group, may_differ in free.items():
            ours, theirs = asdict(getattr(reference, group)), asdict(getattr(config, group))
            for key in (key for key in ours if ours[key] != theirs[key]):
                what = f"{group}.{key} is {spelled(ours[key])} for {first} and {spelled(theirs[key])} for {label}"
                if key in may_differ:
                    notes.append(what + (": not the same order of data" if group == "task" else ""))
                elif judged_alike:  # the same files under other names
                    notes.append(f"{what}: the same data, metric and splits, by what the runs recorded")
                else:
                    raise ConfigError(f"{what}: they would not be judged on the same data", "give all the same")
    if request.budget is not None or request.match is not None or request.tune is not None:
        notes += [
            f"{v.label} is a run that existed: budget, match and search do not touch it" for v in variants if v.existing
        ]
    return notes
