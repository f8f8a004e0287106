"""From a request to a plan: settings checked, sizes matched, steps measured, budgets turned into steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from seqlab.comparison.drafting import undecided
from seqlab.comparison.existing import stored_primary
from seqlab.comparison.plan import Plan, Variant
from seqlab.comparison.probe import Probe, busy_others, probe, process_seconds
from seqlab.comparison.request import Budget, Request
from seqlab.comparison.same_device import chosen_threads, common_compilation, common_precision
from seqlab.comparison.sizes import changes, match_size, sizes_of
from seqlab.comparison.tasks import Tasks, check_corpus
from seqlab.config.overrides import key_of, merged
from seqlab.config.run import RunConfig, load_run_config
from seqlab.contracts.check import check_before_training
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.errors import ConfigError, NumericError, ResourceError, SeqlabError
from seqlab.runs.device import decide
from seqlab.runs.faults import memory
from seqlab.runs.result import task_warnings
from seqlab.runs.setup import budgets, build_network, new_network, prepare
from seqlab.training.budgets import cut_note, slow_validation
from seqlab.training.context import shortened
from seqlab.training.device import Device, resolve_device

_REST_SECONDS = 1.0  # of a run beside process, corpus, steps and evaluations: settings, files, samples


def complete(plan: Plan, request: Request, configs: dict[str, RunConfig], config_dir: Path | None) -> Plan:
    """The plan with sizes matched, steps measured and budgets turned into steps."""
    tasks = Tasks()
    orders: dict[str, list[str]] = {}  # in which order training reads the text, and who reads it so
    remarks: dict[str, list[str]] = {}  # what is to be said of some models, and of which
    variants: list[Variant] = []
    notes = list(plan.notes)
    primary = next((stored_primary(folder) for v in plan.variants for folder in v.existing.values()), "")
    trained = any(not variant.existing for variant in plan.variants)
    if (others := busy_others()) > 0 and trained:
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
            task = tasks.of(config)
            primary = task.meter("validation").primary
            notes += [warning for warning in task_warnings(task) if warning not in notes]
            with torch.device("meta"):
                empty = new_network(config, task)
            remarked = list(shortened(empty, task))
            order = task.training_order(empty)
            if request.budget is None and not variant.existing:  # which is the only end that a run has then
                remarked += budgets(config, task, empty)
            elif len({config.trainer.bptt_steps for config in configs.values()}) > 1:
                remarked += filter(None, [cut_note(config.trainer, task.longest())])
            for remark in remarked:
                remarks.setdefault(remark, []).append(variant.label)
            orders.setdefault(order, []).append(variant.label)
            if shared_threads is not None and config.device.threads == "auto" and not variant.existing:
                variant = replace(variant, overrides=merged(variant.overrides, (shared_threads,)))
                config = load_run_config(list(variant.overrides), config_dir)
            variant, why = _complete(variant, config, task, request, config_dir)
            if variant.probe is not None and not variant.existing:
                start = process_seconds() + tasks.seconds[config.task] + _REST_SECONDS
                variant = replace(variant, probe=replace(variant.probe, start_seconds=start))
            shared_threads = shared_threads or chosen_threads(variant, config)
            notes += [f"{variant.label} could not be measured beforehand: {why}"] if why else []
            slow = slow or _slow_validation(variant, config, task)
        except SeqlabError as error:
            if not variant.existing:  # of a run that exists, only what is measured anew is missing
                raise type(error)(f"{variant.label}: {error.what}", error.hint, error.allowed) from error
        variants.append(variant)
    for config in (configs[variant.label] for variant in variants if variant.existing):
        if config.task in tasks.built:  # they may have been trained before anybody looked
            check_before_training(tasks.built[config.task], config.model, f"model={config.names['model']}")
    variants = list(common_compilation(variants, configs))
    check_corpus(plan, tasks)
    notes += [slow] if slow is not None else []
    notes += [f"{', '.join(labels)}: {remark}" for remark, labels in remarks.items()]
    if len(orders) > 1:
        read = "; ".join(f"{', '.join(labels)}: {order}" for order, labels in orders.items())
        notes.append(f"training reads the same text, as many positions a step, in another order ({read})")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the runs have processes of their own
    digest = next((task.data_sha256 for task in tasks.built.values()), "")
    data = next((dict(task.describe()) for task in tasks.built.values()), {})
    return replace(
        plan,
        variants=tuple(variants),
        primary=primary,
        notes=tuple(notes),
        data=data,
        data_sha256=digest,
        busy=others if trained else 0,
    )


def _one_precision(
    plan: Plan, configs: dict[str, RunConfig], tasks: Tasks, config_dir: Path | None
) -> tuple[dict[str, RunConfig], list[Variant]]:
    """Configs and variants with one precision for all that leave it to `auto`. `tasks` are filled on the way."""
    networks = {}
    for variant in plan.variants:
        config = configs[variant.label]
        if variant.existing:
            continue
        try:
            task = tasks.of(config)
            with torch.device("meta"):
                networks[variant.label] = (config, task.build_network(config.model))
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


def _check_solved(variant: Variant, solved: tuple[str, ...], part: str) -> None:
    given = {key_of(word): word for word in variant.overrides}
    for key in map(key_of, solved):
        if key in given:
            raise ConfigError(
                f"{variant.label}: '{given[key]}' and --match {part}: {key} is what matching solves for",
                "keep one of them",
            )
