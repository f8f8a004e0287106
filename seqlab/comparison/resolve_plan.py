"""From a parsed plan to one that can be run: sizes matched, one device for all, steps measured, the budget in steps.

Each step below does one thing to all models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from seqlab.comparison.candidate import Candidate, build_candidates, named, pinned
from seqlab.comparison.existing import stored_primary
from seqlab.comparison.options import Budget, Match
from seqlab.comparison.plan import Plan
from seqlab.comparison.plan_notes import busy_note, order_note, slow_validation_note, training_notes, warnings
from seqlab.comparison.probe import Probe, competing_threads, probe, start_up_seconds
from seqlab.comparison.request import Request
from seqlab.comparison.shared_device import (
    decided_device,
    prepared_device,
    share_compilation,
    share_device,
    share_precision,
)
from seqlab.comparison.sizes import changes, match_size, sizes_of
from seqlab.config.overrides import key_of
from seqlab.config.run import RunConfig
from seqlab.contracts.check import check_before_training
from seqlab.errors import ConfigError, NumericError, ResourceError, SeqlabError
from seqlab.runs.faults import memory
from seqlab.runs.setup import prepare
from seqlab.training.device import own_threads

_OVERHEAD_SECONDS = 1.0  # of a run beside process, corpus, steps and evaluations: settings, files, samples


@own_threads()
def resolve_plan(
    plan: Plan,
    request: Request,
    configs: dict[str, RunConfig],
    config_dir: Path | None,
    *,
    elsewhere: bool = False,
) -> Plan:
    """The plan with everything that can only be decided with the models built. configs: of the variants, by label.
    elsewhere: the runs start on other machines.

    Raises ConfigError for settings of which no model can be built, DataError for models that would not read the same
    text, and whatever else a model raises before its training.
    """
    plan, exact = pinned(plan, configs, config_dir)
    threads, busy = torch.get_num_threads(), competing_threads() if plan.to_train else 0
    candidates = build_candidates(plan, exact, config_dir)
    notes = [*plan.notes, *busy_note(busy), *warnings(candidates)]
    about_training = [*training_notes(candidates, request.budget), *order_note(candidates)]
    candidates = match_sizes(candidates, request.match)
    candidates = share_precision(candidates)
    check_models(candidates, threads)
    candidates = share_device(candidates, threads)
    candidates, unmeasured = measure(candidates, threads, elsewhere=elsewhere)
    candidates = limit_steps(candidates, request.budget, unmeasured)
    candidates = share_compilation(candidates, threads)
    notes += [f"{label} could not be measured beforehand: {why}" for label, why in unmeasured.items()]
    notes += [*slow_validation_note(candidates), *about_training]
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the runs have processes of their own
    resolved = {candidate.label: candidate.variant for candidate in candidates}
    task = candidates[0].task if candidates else None
    existing = (stored_primary(folder) for v in plan.variants for folder in v.existing.values())
    return replace(
        plan,
        variants=tuple(resolved.get(variant.label, variant) for variant in plan.variants),
        primary=next(existing, "") if task is None else task.meter("validation").primary,
        notes=tuple(notes),
        data={} if task is None else dict(task.describe()),
        data_sha256="" if task is None else task.data_sha256,
        busy=busy,
    )


def match_sizes(candidates: Sequence[Candidate], match: Match | None) -> list[Candidate]:
    """The candidates with the models to be trained set to the requested size, and every variant with its sizes.

    Raises ConfigError where no settings reach it, or where an override sets what matching solves for.
    """
    found: list[Candidate] = []
    for candidate in candidates:
        with named(candidate.variant):
            if match is not None and candidate.is_trained:
                model = candidate.config.model
                solved = tuple(changes(model, match_size(candidate.task, model, match.part, match.target)))
                _check_solved(candidate, solved, match.part)
                candidate = candidate.with_overrides(*solved)
            sizes = sizes_of(candidate.task, candidate.config.model)
            candidate = replace(candidate, variant=replace(candidate.variant, sizes=sizes))
        found.append(candidate)
    return found


def check_models(candidates: Sequence[Candidate], threads: int) -> None:
    """Everything that a run checks before training, once for all runs of a model; for existing runs, their model's
    contracts. threads: of this process."""
    for candidate in (candidate for candidate in candidates if candidate.is_trained):
        with named(candidate.variant):
            prepare(candidate.config, prepared_device(candidate.config, threads), candidate.task)
    for candidate in (candidate for candidate in candidates if not candidate.is_trained):
        check_before_training(candidate.task, candidate.config.model, f"model={candidate.config.names['model']}")


def measure(
    candidates: Sequence[Candidate], threads: int, *, elsewhere: bool
) -> tuple[list[Candidate], dict[str, str]]:
    """(each with its probe, the reasons by label why some have none): what fails for one model is left to its runs to
    report. threads: of this process. elsewhere: how long a process takes to start on this machine says nothing."""
    found: list[Candidate] = []
    unmeasured: dict[str, str] = {}
    for candidate in candidates:
        # for an existing run, any failure costs nothing but its measurement
        harmless = (NumericError, ResourceError) if candidate.is_trained else (SeqlabError,)
        with named(candidate.variant):
            try:
                with memory():
                    measured = _probe(candidate, threads, elsewhere)
                candidate = replace(candidate, variant=replace(candidate.variant, probe=measured))
            except harmless as error:
                unmeasured[candidate.label] = error.what
        found.append(candidate)
    return found, unmeasured


def _probe(candidate: Candidate, threads: int, elsewhere: bool) -> Probe:
    if not candidate.is_trained:
        return probe(candidate.config, candidate.task, decided_device(candidate, threads, compilation=False))
    measured = probe(candidate.config, candidate.task, prepared_device(candidate.config, threads))
    if elsewhere:
        return measured
    return replace(measured, start_seconds=start_up_seconds() + candidate.task_seconds + _OVERHEAD_SECONDS)


def limit_steps(candidates: Sequence[Candidate], budget: Budget | None, unmeasured: dict[str, str]) -> list[Candidate]:
    """The candidates with the budget as steps of each model to be trained. unmeasured: why some have no probe.

    Raises ConfigError for a model that could not be measured, and for a budget of less than one step.
    """
    if budget is None:
        return list(candidates)
    found: list[Candidate] = []
    for candidate in candidates:
        if candidate.is_trained:
            with named(candidate.variant):
                if (measured := candidate.variant.probe) is None:
                    raise ConfigError("a model that could not be measured has no budget", unmeasured[candidate.label])
                candidate = candidate.with_overrides(*_limits(budget, measured, candidate))
        found.append(candidate)
    return found


def _limits(budget: Budget, measured: Probe, candidate: Candidate) -> list[str]:
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
    limits = [f"trainer.max_steps={steps}", "trainer.max_epochs=null", "trainer.max_seconds=null"]
    if any(key_of(override) == "trainer.eval_every_steps" for override in candidate.variant.overrides):
        return limits
    return [*limits, f"trainer.eval_every_steps={max(1, round(steps / candidate.variant.validations))}"]


def _check_solved(candidate: Candidate, solved: tuple[str, ...], part: str) -> None:
    given = {key_of(override): override for override in candidate.variant.overrides}
    for key in map(key_of, solved):
        if key in given:
            raise ConfigError(
                f"'{given[key]}' and --match {part}: {key} is what matching solves for", "keep one of them"
            )
