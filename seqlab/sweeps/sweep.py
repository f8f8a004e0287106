"""`seqlab sweep` from request to report: the one place where the parts of a sweep are put together."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqlab.comparison import background
from seqlab.comparison.compare import check_text
from seqlab.comparison.making import carry, left_running
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.plan import Plan, write_plan
from seqlab.comparison.resolve_plan import resolve_plan
from seqlab.config.overrides import key_of
from seqlab.config.run import RunConfig, with_settings
from seqlab.contracts.check import check_before_training
from seqlab.errors import Interrupted
from seqlab.executors.execution import Execution
from seqlab.executors.executor import Executor
from seqlab.executors.job import Job
from seqlab.executors.run_jobs import LeftRunning
from seqlab.runs.faults import disk
from seqlab.runs.lock import locked
from seqlab.sweeps.plan import FORMAT, SweepPlan, digest_of, folder_of, read_plan, run_folder
from seqlab.sweeps.report import write_report
from seqlab.sweeps.reporter import SweepReporter
from seqlab.sweeps.request import SweepRequest, check_watched
from seqlab.sweeps.study import Study
from seqlab.sweeps.summary import Summary, main_effects, summarise
from seqlab.sweeps.trials import check_trials, make_grid, make_search


@dataclass(frozen=True, repr=False)
class Sweep:
    """The outcome of `sweep`.

    folder: where its runs and its report are.
    summary: everything that the report says; None if every run failed, and if runs go on.
    failed: the reason, by the number of the trial.
    pending: who makes the runs that are missing, if this call did not wait for them; else empty.
    """

    folder: Path
    summary: Summary | None
    failed: Mapping[int, str]
    pending: str = ""

    def __repr__(self) -> str:
        if self.pending:
            return self.pending
        best = [] if self.summary is None else [f"best on validation: {' '.join(self.best)}"]
        failed = [f"failed: trial {number}: {why}" for number, why in self.failed.items()]
        return "\n".join((*best, *failed, f"report: {self.report}"))

    @property
    def report(self) -> Path:
        """The path of the report, for a browser."""
        return self.folder / "report.html"

    @property
    def best(self) -> tuple[str, ...]:
        """The swept settings of the best trial by validation, as overrides; empty if there is none."""
        return () if self.summary is None else self.summary.best.overrides

    @property
    def best_run(self) -> Path | None:
        """The folder of its run, for seqlab.load."""
        return None if self.summary is None else run_folder(self.folder, self.summary.best.run)

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row per trial, the best first, as columns: its settings, what it came to, its metric on validation.
        pandas.DataFrame(sweep.table) makes a table of it."""
        trials = () if self.summary is None else self.summary.trials
        keys = [] if self.summary is None else [axis.key for axis in self.summary.request.axes.values()]
        settings = [{key_of(word): word.partition("=")[2] for word in trial.overrides} for trial in trials]
        return {
            "trial": [trial.number for trial in trials],
            **{key: [chosen[key] for chosen in settings] for key in keys},
            "outcome": [trial.outcome for trial in trials],
            "validation": [trial.value for trial in trials],
            "step": [trial.step for trial in trials],
            "parameters": [trial.parameters for trial in trials],
            "training_seconds": [trial.seconds for trial in trials],
        }


def plan_only(
    request: SweepRequest, config_dir: Path | None, name: str | None, *, elsewhere: bool = False
) -> SweepPlan:
    """For --dry-run: the stored plan of the same sweep, or a new one that is measured but not written. elsewhere: the
    runs would start on other machines."""
    parsed, configs = _parsed(request, config_dir, jobs=1)
    stored = read_plan(folder_of(parsed, request, name), parsed.digest)
    if stored is None:
        return _resolved(parsed, request, configs, config_dir, elsewhere=elsewhere)
    return stored.with_logging_of(parsed)


def sweep(
    request: SweepRequest,
    reporter: SweepReporter | None = None,
    *,
    config_dir: Path | None = None,
    name: str | None = None,
    command: str = "",
    execution: Execution | None = None,
) -> Sweep:
    """Plan the sweep or find its stored plan, make the trials that are missing, and write the report.

    name: of its folder in runs/sweep. command: what was typed, for the report. execution: who makes the runs; by
    default this machine, one at a time. A new search chooses as many trials at once as are made at a time.

    Raises a SeqlabError for what a user can fix, such as pruning of runs that nobody would watch; Interrupted after
    Ctrl-C. A run of a grid that fails raises nothing and is among `Sweep.failed`; in a search, whose next trials depend
    on it, it raises ResourceError.
    """
    reporter = reporter or SweepReporter()
    execution = execution or Execution()
    check_watched(request, execution)
    parsed, configs = _parsed(request, config_dir, execution.jobs or 1)
    folder = folder_of(parsed, request, name)
    ended: Sequence[Job] = ()
    if execution.submit and execution.needs_process:
        return Sweep(folder, None, {}, background.submit(command, execution, [folder]))
    if not execution.background and background.process_of(folder) is not None:
        ended = background.follow(folder, reporter, lambda where: _models(where, parsed.digest))
    with (
        locked(folder, "wait for it; if that process is gone, its last runs are still ending") as lock,
        disk(folder),
        execution.executor(folder, lock) as executor,
    ):
        plan = read_plan(folder, parsed.digest)
        if plan is None:
            reporter.say("measuring a few steps")
            plan = _resolved(parsed, request, configs, config_dir, elsewhere=execution.is_elsewhere)
        plan = plan.with_logging_of(parsed)
        write_plan(plan, folder)
        first = next(iter(configs.values()))
        reporter.sweeping(plan, request, folder)
        importance: Mapping[str, float]
        failed: Mapping[int, str] = {}
        try:
            with _making(plan.models, first, folder, reporter, executor, execution, ended) as make:
                if request.search is None:
                    trials, failed = make_grid(plan, request, folder, make)
                    importance = main_effects(trials, request.axes.values())
                else:
                    study = Study([*request.axes.values()], plan.seed, prune=request.search.prune)
                    trials = make_search(plan, request, study, folder, make)
                    importance = study.importance()
        except LeftRunning as left:
            then = "; then it chooses the next trials" if request.search is not None else ""
            return Sweep(folder, None, {}, left_running(left, executor, reporter) + then)
        except Interrupted as stopped:
            raise Interrupted(
                stopped.what, f"kept {folder}; the same command goes on from there", stopped.exit_code
            ) from None
        summary = summarise(request, plan, trials, failed, importance, folder, command)
        if summary is not None:
            write_report(summary, folder)
    return Sweep(folder, summary, failed)


def _models(folder: Path, digest: str) -> Plan | None:
    """The models of the sweep that is planned in a folder; None if none is."""
    plan = read_plan(folder, digest)
    return None if plan is None else plan.models


def _parsed(request: SweepRequest, config_dir: Path | None, jobs: int) -> tuple[SweepPlan, dict[str, RunConfig]]:
    """The plan without measurements, and the configs of its models by label."""
    models, configs = parse_plan(request.models, config_dir)
    return SweepPlan(FORMAT, digest_of(models, request), models, jobs, models.seeds[0]), configs


def _resolved(
    parsed: SweepPlan,
    request: SweepRequest,
    configs: dict[str, RunConfig],
    config_dir: Path | None,
    *,
    elsewhere: bool,
) -> SweepPlan:
    """The plan with its models measured, and one device for all trials."""
    check_trials(request, configs)
    _check_forms(request, configs)
    models = resolve_plan(parsed.models, request.models, configs, config_dir, elsewhere=elsewhere)
    if any(config.trainer.max_seconds is not None for config in configs.values()):
        note = "trials end after trainer.max_seconds, so that their steps, and with them what is best, may differ"
        models = replace(models, notes=(*models.notes, note))
    return replace(parsed, models=models)


def _check_forms(request: SweepRequest, configs: Mapping[str, RunConfig]) -> None:
    """Check the contracts of models whose form is swept, such as a kind of attention: planning checks those in the
    middle, and runs check nothing."""
    swept = [axis for axis in request.axes.values() if axis.key.startswith("model.") and axis.is_named]
    if not swept:
        return
    task = next(iter(configs.values())).task.build()
    for label, config in configs.items():
        for word in (f"{axis.key}={value}" for axis in swept for value in axis.values):
            check_before_training(task, with_settings(config, [word]).model, f"{label} {word}")


@contextmanager
def _making(
    models: Plan,
    first: RunConfig,
    folder: Path,
    reporter: SweepReporter,
    executor: Executor,
    execution: Execution,
    ended: Sequence[Job],
) -> Iterator[Callable[[Sequence[Job], Callable[[], Sequence[Job]]], int | None]]:
    """A context in which runs are made (trials.Make) and shown. first: the config of one of the models. ended: the runs
    of a process in the background that has just ended."""
    shown: list[Job] = []
    begun = any(folder.glob("trial-*"))
    with reporter.runs(shown, models, "") as refresh:

        def make(jobs: Sequence[Job], to_stop: Callable[[], Sequence[Job]]) -> int | None:
            nonlocal begun
            if begun and not all(job.has_ended() for job in jobs):
                check_text(models, first)
                begun = False
            shown.extend(jobs)
            background.take_over(jobs, ended)
            stopped: set[Path] = set()

            def poll() -> None:
                worse = [job for job in to_stop() if job.folder not in stopped]
                stopped.update(job.folder for job in worse)
                executor.cancel(worse)
                refresh()

            return carry(jobs, shown, folder, executor, execution, poll)

        yield make


def command_line(words: Sequence[str], options: Mapping[str, object], *, prune: bool) -> str:
    """The command as it can be typed again."""
    given = [part for key, value in options.items() if value is not None for part in (f"--{key}", str(value))]
    return shlex.join(["seqlab", "sweep", *words, *given, *([] if prune else ["--no-prune"])])
