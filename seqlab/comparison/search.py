"""The search before a comparison: a setting of each model, chosen by the validations of runs that are not compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from seqlab.comparison.options import Tuning
from seqlab.comparison.plan import Plan, Variant, write_plan
from seqlab.comparison.reading import read_run
from seqlab.comparison.trials import Trials
from seqlab.config.overrides import merged
from seqlab.config.run import RunConfig, load_run_config
from seqlab.core.metric import validated
from seqlab.errors import ConfigError, Interrupted, NumericError, ResourceError
from seqlab.executors.job import Job

# a search must not see the seeds that are compared
_TUNE_SEED = 1_000_000


def search(
    plan: Plan,
    configs: Mapping[str, RunConfig],
    folder: Path,
    config_dir: Path | None,
    make: Callable[[list[Job]], int | None],
) -> Plan:
    """The plan with each model's setting chosen, and written to the folder so that it is chosen once. make: makes the
    runs that have no result yet and returns the signal that asked to stop, if there was one.

    What is tried next follows from the validations of earlier trials and nothing else: a search that was stopped reads
    those it has and ends with the same choice.

    Raises Interrupted after a signal, ResourceError for a trial that failed, NumericError where all trials of a model
    diverged.
    """
    tune = plan.tune
    if tune is None or plan.tuned:
        return plan
    trials = {v.label: Trials(tune, configs[v.label], v.label) for v in plan.to_train}
    tried: dict[str, dict[str, float | None]] = {label: {} for label in trials}
    while due := _next_jobs(plan, tune, trials, folder, config_dir):
        stopped = make([job for _, job in due])
        if stopped is not None:
            raise Interrupted("stopped in the search", "", 128 + stopped)
        for value, job in due:
            if job.status == "failed" and job.code != NumericError.exit_code:  # that it diverged is a result
                raise ResourceError(
                    f"{job.label}: the trial of {tune.key}={value} failed: {job.reason}",
                    "the same command tries it again",
                )
            run = read_run(job.label, job.seed, job.folder)
            criterion = None if run is None else validated(run.result)
            trials[job.label].validated[value] = criterion if criterion is not None and criterion.known else None
            tried[job.label][value] = None if run is None else run.result["validation"].get(plan.primary)
    variants = tuple(_chosen(variant, tune, trials.get(variant.label)) for variant in plan.variants)
    edges = [f"{label}: search of {tune.key}: {found.stop_reason}" for label, found in trials.items() if found.at_edge]
    ended = {label: found.stop_reason for label, found in trials.items()}
    plan = replace(plan, variants=variants, tuned=tried, tune_ended=ended, notes=(*plan.notes, *edges))
    write_plan(plan, folder)
    return plan


def _next_jobs(
    plan: Plan, tune: Tuning, trials: Mapping[str, Trials], folder: Path, config_dir: Path | None
) -> list[tuple[str, Job]]:
    """The next runs of all models, with their values."""
    due: list[tuple[str, Job]] = []
    for variant in (variant for variant in plan.variants if variant.label in trials):

        def words(value: str, overrides: tuple[str, ...] = variant.overrides) -> tuple[str, ...]:
            return merged(overrides, (f"{tune.key}={value}",))

        def is_possible(value: str, words: Callable[[str], tuple[str, ...]] = words) -> bool:
            try:
                load_run_config(list(words(value)), config_dir)
            except ConfigError:
                return False
            return True

        for value in trials[variant.label].next_values(is_possible):
            name = f"{tune.key.rpartition('.')[2]}={value}"
            job = Job(
                variant.label,
                plan.seeds[0] + _TUNE_SEED,
                folder / "tune" / variant.slug / name,
                words(value),
                config_dir,
                trial=f"{tune.key}={value}",
                divergence_is_final=True,
                # trials beyond the initial values are not in the plan's estimate
                estimated_seconds=0.0 if trials[variant.label].validated else variant.known_seconds,
            )
            due.append((value, job))
    return due


def _chosen(variant: Variant, tune: Tuning, found: Trials | None) -> Variant:
    """The variant with the value that its search chose."""
    if found is None:
        return variant
    if found.best is None:
        raise NumericError(f"{variant.label}: training diverged with every value of {tune.key}", "try smaller ones")
    return replace(variant, overrides=merged(variant.overrides, (f"{tune.key}={found.best}",)))
