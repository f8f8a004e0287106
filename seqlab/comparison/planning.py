"""From a request to a plan: settings checked, sizes matched, steps measured, budgets turned into steps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch

from seqlab.comparison.common import chosen_threads, common_compilation, common_precision
from seqlab.comparison.existing import existing_runs, stored_primary, without_seed
from seqlab.comparison.plan import FORMAT, Plan, Variant
from seqlab.comparison.probe import Probe, busy_others, probe
from seqlab.comparison.request import Asked, Budget, Request, Tune, key_of, merged
from seqlab.comparison.sizes import changes, match_size, sizes_of
from seqlab.config.run import RunConfig, load_run_config
from seqlab.contracts.check import check_before_training
from seqlab.errors import ConfigError, DataError, NumericError, ResourceError, SeqlabError
from seqlab.experiment import budgets, build_network, decide, prepare, task_warnings
from seqlab.faults import memory
from seqlab.interfaces import Network, Task
from seqlab.run_code import code_sha256
from seqlab.run_folder import read_environment
from seqlab.training.budgets import cut_note, slow_validation
from seqlab.training.device import Device, resolve_device

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
        configs[asked.label] = _load(overrides, asked, config_dir)
        base_seed = _load((*overrides, *(w for w in request.shared if key_of(w) == "seed")), asked, config_dir).seed
        variants.append(undecided(asked.label, configs[asked.label], overrides, {}))
    for label, config, folders in existing_runs(request.runs, set(configs), config_dir):
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
                [str(run) for run in request.runs],
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


def complete(plan: Plan, request: Request, configs: dict[str, RunConfig], config_dir: Path | None) -> Plan:
    """The plan with sizes matched, steps measured and budgets turned into steps."""
    tasks: dict[Any, Task[Any]] = {}
    orders: dict[str, list[str]] = {}  # in which order training reads the text, and who reads it so
    variants: list[Variant] = []
    notes = list(plan.notes)
    primary = next((stored_primary(folder) for v in plan.variants for folder in v.existing.values()), "")
    if (others := busy_others()) > 0 and any(not variant.existing for variant in plan.variants):
        notes.append(
            f"the machine was busy while steps were measured (other threads running: {others}): times, and a budget in "
            "seconds, are those of a busy machine"
        )
    threads, slow = torch.get_num_threads(), None
    configs, drafted = _one_precision(plan, configs, tasks, config_dir)
    shared_threads: str | None = None
    for variant in drafted:
        config = configs[variant.label]
        torch.set_num_threads(threads)  # one variant's device.threads is not the next one's
        try:
            if config.task not in tasks:
                tasks[config.task] = config.task.build()
            primary = tasks[config.task].meter("validation").primary
            notes += [warning for warning in task_warnings(tasks[config.task]) if warning not in notes]
            with torch.device("meta"):
                empty = tasks[config.task].build_network(config.model)
            order = tasks[config.task].training_order(empty)
            if request.budget is None and not variant.existing:  # which is the only end that a run has then
                notes += [note for note in budgets(config, tasks[config.task], empty) if note not in notes]
            if len({config.trainer.bptt_steps for config in configs.values()}) > 1:
                cut = cut_note(config.trainer, tasks[config.task].longest())
                notes += [cut] if cut and cut not in notes else []
            orders.setdefault(order, []).append(variant.label)
            if shared_threads is not None and config.device.threads == "auto" and not variant.existing:
                variant = replace(variant, overrides=merged(variant.overrides, (shared_threads,)))
                config = load_run_config(list(variant.overrides), config_dir)
            variant, why = _complete(variant, config, tasks[config.task], request, config_dir)
            shared_threads = shared_threads or chosen_threads(variant, config)
            notes += [f"{variant.label} could not be measured beforehand: {why}"] if why else []
            slow = slow or _slow_validation(variant, config, tasks[config.task])
        except SeqlabError as error:
            if not variant.existing:  # of a run that exists, only what is measured anew is missing
                raise type(error)(f"{variant.label}: {error.what}", error.hint, error.allowed) from error
        variants.append(variant)
    for config in (configs[variant.label] for variant in variants if variant.existing):
        if config.task in tasks:  # they may have been trained before anybody looked
            check_before_training(tasks[config.task], config.model, f"model={config.names['model']}")
    variants = list(common_compilation(variants, configs))
    _check_corpus(plan, tasks)
    notes += [slow] if slow is not None else []
    if len(orders) > 1:
        read = "; ".join(f"{', '.join(labels)}: {order}" for order, labels in orders.items())
        notes.append(f"training reads the same text, as many positions a step, in another order ({read})")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the runs have processes of their own
    digest = next((task.data_sha256 for task in tasks.values()), "")
    return replace(plan, variants=tuple(variants), primary=primary, notes=tuple(notes), data_sha256=digest)


def _one_precision(
    plan: Plan, configs: dict[str, RunConfig], tasks: dict[Any, Task[Any]], config_dir: Path | None
) -> tuple[dict[str, RunConfig], list[Variant]]:
    """Configs and variants with one precision for all that leave it to `auto`. `tasks` are filled on the way."""
    networks = {}
    for variant in plan.variants:
        config = configs[variant.label]
        if variant.existing:
            continue
        try:
            if config.task not in tasks:
                tasks[config.task] = config.task.build()
            with torch.device("meta"):
                networks[variant.label] = (config, tasks[config.task].build_network(config.model))
        except SeqlabError as error:
            raise type(error)(f"{variant.label}: {error.what}", error.hint, error.allowed) from error
    words = common_precision(networks)
    variants = [
        replace(v, overrides=merged(v.overrides, (words[v.label],))) if v.label in words else v for v in plan.variants
    ]
    changed = {v.label: load_run_config(list(v.overrides), config_dir) for v in variants if v.label in words}
    return configs | changed, variants


def _complete(
    variant: Variant, config: RunConfig, task: Task[Any], request: Request, config_dir: Path | None
) -> tuple[Variant, str]:
    """(the variant, why it could not be measured, if so)."""
    device = resolve_device(config.device, deterministic=config.deterministic)
    if variant.existing:
        variant = replace(variant, sizes=sizes_of(task, config.model))
        try:
            with memory():
                network = build_network(config, task, device)
                device = _decided(config, task, network, device, compilation=False)
                return replace(variant, probe=probe(config, task, device)), ""
        except SeqlabError as error:
            return variant, error.what
    overrides = variant.overrides
    if request.match is not None:
        matched = match_size(task, config.model, request.match.part, request.match.target)
        solved = tuple(changes(config.model, matched))
        _check_solved(variant, solved, request.match.part)
        overrides = merged(overrides, solved)
        config = load_run_config(list(overrides), config_dir)
    _, network = prepare(config, device, task)
    # chosen once: a restart on another machine must not go on with another device, nor a seed with other threads
    device = _decided(config, task, network, device, compilation=False)
    chosen = [f"device.type={device.name}", f"device.precision={device.precision}"]
    if config.device.threads == "auto":
        chosen.append(f"device.threads={torch.get_num_threads()}")
    overrides = merged(overrides, tuple(chosen))
    config = load_run_config(list(overrides), config_dir)
    measured, why = _measure(config, task, device)
    if request.budget is not None:
        if measured is None:
            raise ConfigError(f"{variant.label} cannot be given a budget, for it cannot be measured", why)
        overrides = merged(overrides, _limits(request.budget, measured, variant))
        config = load_run_config(list(overrides), config_dir)
    if config.device.compile == "auto":  # only now is it known how long training takes
        compiled = _decided(config, task, network, device, compilation=True).compile
        overrides = merged(overrides, (f"device.compile={'always' if compiled else 'never'}",))
        config = load_run_config(list(overrides), config_dir)
    decided = undecided(variant.label, config, overrides, {})
    return replace(decided, sizes=sizes_of(task, config.model), probe=measured), why


def _slow_validation(variant: Variant, config: RunConfig, task: Task[Any]) -> str | None:
    """A word where its validations take longer than its training."""
    if variant.existing or variant.probe is None or variant.max_steps is None:
        return None
    every = max(1, round(variant.max_steps / variant.validations))
    trainer = replace(config.trainer, max_steps=variant.max_steps, eval_every_steps=every)
    between = every * variant.probe.step_seconds
    said = slow_validation(variant.probe.validation_seconds, between, trainer, task.shorter_validation)
    return None if said is None else f"{variant.label}: {said}"


def _decided(config: RunConfig, task: Task[Any], network: Network[Any], device: Device, *, compilation: bool) -> Device:
    """The device with what was left to `auto`; as it is where the model cannot be tried, which its runs will find."""
    if not compilation:
        config = replace(config, device=replace(config.device, compile="never"))
    try:
        with memory():
            return decide(config, task, network, device)[0]
    except (NumericError, ResourceError):
        return device


def _measure(config: RunConfig, task: Task[Any], device: Device) -> tuple[Probe | None, str]:
    """The probe, or why there is none: what only this model cannot do is left to its runs to find out."""
    try:
        with memory():
            return probe(config, task, device), ""
    except (NumericError, ResourceError) as error:
        return None, error.what


def _limits(budget: Budget, measured: Probe, variant: Variant) -> tuple[str, ...]:
    """The budget as overrides: steps, and as many validations as before."""
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
    limits = (f"trainer.max_steps={steps}", "trainer.max_epochs=null", "trainer.max_seconds=null")
    if any(key_of(o) == "trainer.eval_every_steps" for o in variant.overrides):
        return limits
    return (*limits, f"trainer.eval_every_steps={max(1, round(steps / variant.validations))}")


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


# --- what cannot be meant ----------------------------------------------------------------------------


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


def _check_solved(variant: Variant, solved: tuple[str, ...], part: str) -> None:
    given = {key_of(word): word for word in variant.overrides}
    for key in map(key_of, solved):
        if key in given:
            raise ConfigError(
                f"{variant.label}: '{given[key]}' and --match {part}: {key} is what matching solves for",
                "keep one of them",
            )


def trial_values(tune: Tune, config: RunConfig, label: str) -> list[str]:
    """The given values, or as many as asked for around the variant's own, a factor of two apart."""
    if tune.values:
        return [f"{value:g}" for value in tune.values]
    group, _, name = tune.key.partition(".")
    own = getattr(getattr(config, group), name, None)
    if isinstance(own, bool) or not isinstance(own, int | float) or own <= 0:
        raise ConfigError(
            f"--tune {tune.key}: {label} has {tune.key}={own}; a search starts from a positive number",
            f"give the values: --tune {tune.key}=A,B,C",
        )
    values = [own * 2.0 ** (index - tune.count // 2) for index in range(tune.count)]
    if isinstance(own, int):
        return [str(value) for value in dict.fromkeys(max(1, round(value)) for value in values)]
    return [f"{value:.4g}" for value in values]


def _check_trials(tune: Tune, variants: list[Variant], configs: dict[str, RunConfig], config_dir: Path | None) -> None:
    """Every trial of a search must be a config, before any of them is made."""
    for variant in variants:
        for value in trial_values(tune, configs[variant.label], variant.label) if not variant.existing else ():
            asked = Asked(variant.label, variant.model, variant.overrides)
            _load(merged(variant.overrides, (f"{tune.key}={value}",)), asked, config_dir)


def _notes(configs: dict[str, RunConfig], variants: list[Variant], request: Request) -> list[str]:
    """Refuse models that are not judged on the same data; tell of other settings of task and trainer that differ."""
    (first, reference), *rest = configs.items()
    notes: list[str] = []
    for label, config in rest:
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
                what = f"{group}.{key} is {ours[key]} for {first} and {theirs[key]} for {label}"
                if key not in may_differ:
                    raise ConfigError(f"{what}: they would not be judged on the same data", "give all the same")
                notes.append(what + (": not the same order of data" if group == "task" else ""))
    if request.budget is not None or request.match is not None or request.tune is not None:
        notes += [
            f"{v.label} is a run that existed: budget, match and search do not touch it" for v in variants if v.existing
        ]
    return notes


def _check_corpus(plan: Plan, tasks: dict[Any, Task[Any]]) -> None:
    """The runs that exist must have read what the others will."""
    digests = {task.data_sha256 for task in tasks.values()}
    for variant in plan.variants:
        for folder in variant.existing.values():
            if (found := read_environment(Path(folder)).get("data_sha256")) is not None:
                digests.add(found)
                if len(digests) > 1:
                    raise DataError(
                        f"{folder} was not trained on the same text as the others",
                        "has the corpus changed? python_docs differs by Python version, cldr by Babel's",
                    )
    if len(digests) > 1:
        raise DataError("the models would not be trained on the same text", "give all the same corpus")
