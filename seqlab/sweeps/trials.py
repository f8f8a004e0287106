"""The trials of a sweep: which runs are made, in which order, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from seqlab.comparison.parse_plan import differences
from seqlab.config.overrides import key_of
from seqlab.config.run import RunConfig, load_run_config, with_settings
from seqlab.config.sources import GROUPS
from seqlab.errors import ConfigError, Interrupted, ResourceError
from seqlab.executors.job import Job
from seqlab.sweeps.outcome import trial_of, validations_of
from seqlab.sweeps.plan import SweepPlan, job_of, trial_overrides
from seqlab.sweeps.request import SweepRequest
from seqlab.sweeps.study import Study
from seqlab.sweeps.trial import Trial, read_trials, write_trials

Make = Callable[[Sequence[Job], Callable[[], Sequence[Job]]], int | None]
"""Makes the runs that have no result yet. Its second argument is called several times a second, and gives those that
are to be stopped early. Raises Interrupted after Ctrl-C; returns the signal if it came too late to stop any."""


def check_trials(request: SweepRequest, configs: Mapping[str, RunConfig]) -> None:
    """Check what can be known before the first trial: of a grid, that each can be trained; of a search, that the ends
    of intervals are possible values. configs: of the models, by label.

    Raises ConfigError, also for trials that would not be judged on the same data.
    """
    labels = [spec.label for spec in request.models.models]
    for swept in request.grid() if request.search is None else _ends(request):
        single = [word for word in swept if key_of(word) not in GROUPS]
        for label in [request.label(swept)] if request.search is None else labels:
            told = " ".join(single) or label
            try:
                config = with_settings(configs[label], single)
            except ConfigError as error:
                raise ConfigError(f"{told}: {error.what}", error.hint, error.allowed) from error
            differences("another trial", configs[label], told, config)


def _ends(request: SweepRequest) -> Iterator[tuple[str]]:
    """What is checked before a search: the ends of intervals, and settings of the task."""
    for axis in request.axes.values():
        ends = [axis.spelled(end) for end in (axis.low, axis.high)] if axis.is_interval else []
        for value in [*ends, *(axis.values if axis.key.startswith("task.") else ())]:
            yield (f"{axis.key}={value}",)


def make_grid(plan: SweepPlan, request: SweepRequest, folder: Path, make: Make) -> tuple[list[Trial], dict[int, str]]:
    """(the trials of a grid in order, the reasons by number of those that failed)."""
    grid = [*request.grid()]
    jobs = [job_of(plan, request, number, swept, folder) for number, swept in enumerate(grid)]
    make(jobs, lambda: ())
    trials: list[Trial] = []
    failed: dict[int, str] = {}
    for number, (job, swept) in enumerate(zip(jobs, grid, strict=True)):
        trial = trial_of(job, number, swept, 0, plan.models.primary, None)
        if trial is None:
            failed[number] = job.reason
        else:
            trials.append(trial)
    write_trials(trials, folder)
    return trials, failed


def make_search(plan: SweepPlan, request: SweepRequest, study: Study, folder: Path, make: Make) -> list[Trial]:
    """The trials of a search in order, as a new study chooses them. `plan.batch` of them are chosen at once, run, and
    told in the order in which they were chosen, so that it does not matter which ends first.

    Raises ResourceError for a trial that failed for a reason that is no result.
    """
    trials = read_trials(folder)
    study.replay(trials)
    while study.told < request.count:
        size = min(plan.batch, request.count - study.told)
        trials += _batch(plan, request, study, size, trials, folder, make)
        write_trials(trials, folder)
        for trial in trials[study.told :]:
            study.tell(trial)
    return trials


def _batch(
    plan: SweepPlan, request: SweepRequest, study: Study, size: int, known: Sequence[Trial], folder: Path, make: Make
) -> list[Trial]:
    """The next trials, not told yet."""
    told = study.told
    chosen = [study.ask() for _ in range(size)]
    found = {trial.overrides: trial for trial in reversed(known)}  # the first of those that are alike
    jobs: dict[int, Job] = {}
    last: dict[int, int | None] = {}
    for number, swept in enumerate(chosen, told):
        if swept in found or swept in chosen[: number - told]:  # it would end in the same way
            continue
        try:
            config = config_of(plan, request, swept)
        except ConfigError as error:
            found[swept] = Trial(number, swept, told, number, "impossible", reason=error.what)
        else:
            jobs[number], last[number] = job_of(plan, request, number, swept, folder), config.trainer.max_steps
    primary = plan.models.primary

    def pruned(number: int) -> int | None:
        return study.pruned_at(number, validations_of(jobs[number], primary), last[number])

    def to_stop() -> list[Job]:
        return [job for number, job in jobs.items() if job.status == "running" and pruned(number) is not None]

    for job in jobs.values():  # those of a sweep that was stopped
        job.read_log()
    stopped = make([job for number, job in jobs.items() if pruned(number) is None], to_stop)
    if stopped is not None:
        raise Interrupted("stopped in the search", "", 128 + stopped)
    for number, job in jobs.items():
        swept = chosen[number - told]
        trial = trial_of(job, number, swept, told, primary, pruned(number))
        if trial is None:
            raise ResourceError(
                f"trial {number} ({' '.join(swept)}) failed: {job.reason}", "the same command tries it again"
            )
        found[swept] = trial
    return [replace(found[swept], number=number, told=told) for number, swept in enumerate(chosen, told)]


def config_of(plan: SweepPlan, request: SweepRequest, swept: Sequence[str]) -> RunConfig:
    """The config of a trial. Raises ConfigError if its settings do not fit together."""
    config_dir = None if plan.models.config_dir is None else Path(plan.models.config_dir)
    return load_run_config([*trial_overrides(plan, request, swept), f"seed={plan.seed}"], config_dir)
