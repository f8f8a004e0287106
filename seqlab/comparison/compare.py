"""`seqlab compare` from request to report: the one place where the parts of a comparison are put together."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqlab.comparison import background
from seqlab.comparison.baselines import compute_baselines, stored_baselines
from seqlab.comparison.board import write_layout
from seqlab.comparison.figures import figures
from seqlab.comparison.files import write_files
from seqlab.comparison.making import left_running, make_runs
from seqlab.comparison.page import Above, write_page
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.plan import Plan, folder_of, read_plan, write_plan
from seqlab.comparison.reading import read_runs, run_notes
from seqlab.comparison.reporter import ComparisonReporter
from seqlab.comparison.request import Request
from seqlab.comparison.resolve_plan import resolve_plan
from seqlab.comparison.search import search
from seqlab.comparison.summary import Summary, summarise
from seqlab.comparison.times import compare_times, read_times
from seqlab.config.run import RunConfig
from seqlab.data.corpus import MAY_DIFFER
from seqlab.errors import ConfigError, DataError, Interrupted
from seqlab.executors.execution import Execution
from seqlab.executors.job import Job
from seqlab.executors.run_jobs import LeftRunning
from seqlab.runs.code import code_sha256
from seqlab.runs.faults import disk
from seqlab.runs.folder import read_result
from seqlab.runs.lock import locked
from seqlab.runs.names import ELSEWHERE


@dataclass(frozen=True, repr=False)
class Comparison:
    """The outcome of `compare`.

    folder: where its runs and its report are.
    summary: everything that the report says; None if every run failed, and if runs go on.
    failed: the reason, by label and seed.
    pending: who makes the runs that are missing, if this call did not wait for them; else empty.
    """

    folder: Path
    summary: Summary | None
    failed: Mapping[tuple[str, int], str]
    pending: str = ""

    def __repr__(self) -> str:
        if self.pending:
            return self.pending
        failed = [f"failed: {label}, seed {seed}: {why}" for (label, seed), why in self.failed.items()]
        return "\n".join((*self.verdicts, *failed, f"report: {self.report}"))

    @property
    def report(self) -> Path:
        """The path of the report, for a browser."""
        return self.folder / "report.html"

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The finding on each pair of models, in a sentence."""
        return () if self.summary is None else self.summary.verdicts

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row per model, the best first, as columns: the test metric's mean over seeds with its 95 % interval, and
        the costs of training. pandas.DataFrame(comparison.table) makes a table of it."""
        rows = () if self.summary is None else self.summary.rows
        return {
            "model": [row.label for row in rows],
            "seeds": [len(row.test) for row in rows],
            "mean": [row.mean for row in rows],
            "low": [row.interval and row.interval[0] for row in rows],
            "high": [row.interval and row.interval[1] for row in rows],
            "parameters": [row.variant.sizes and row.variant.sizes.params for row in rows],
            "training_seconds": [row.training_seconds for row in rows],
            "tokens_per_second": [row.tokens_per_second for row in rows],
        }


def plan_only(
    request: Request, config_dir: Path | None, name: str | None, folder: Path | None = None, *, elsewhere: bool = False
) -> Plan:
    """For --dry-run: the stored plan of the same comparison, or a new one that is measured but not written. elsewhere:
    the runs would start on other machines."""
    parsed, configs = parse_plan(request, config_dir)
    stored = _stored_plan(parsed, folder or folder_of(parsed, request.runs_dir, name))
    return resolve_plan(parsed, request, configs, config_dir, elsewhere=elsewhere) if stored is None else stored


def _stored_plan(parsed: Plan, folder: Path) -> Plan | None:
    """The plan in the folder, with the seeds of this request and all complete ones, so that seeds cannot be chosen by
    their results. Raises ConfigError if it is another comparison's."""
    stored = read_plan(folder)
    if stored is None:
        return None
    if stored.digest != parsed.digest:
        raise ConfigError(
            f"{folder} holds another comparison: other models, settings or code",
            ELSEWHERE,
        )
    stored = stored.with_logging_of(parsed)
    trained = stored.to_train
    complete = {s for s in stored.seeds if all(read_result(v.run_folder(folder, s)) is not None for v in trained)}
    seeds, notes = tuple(sorted(complete | set(parsed.seeds))), stored.notes
    if trained and set(seeds) > complete and (folder / "summary.json").is_file():
        notes += (
            f"seeds were added after a report on {len(complete)} had been written: no p is corrected for having "
            "looked, so that the number of seeds is best chosen beforehand",
        )
    return replace(stored, seeds=seeds, notes=tuple(dict.fromkeys(notes)))


def compare(
    request: Request,
    reporter: ComparisonReporter | None = None,
    *,
    config_dir: Path | None = None,
    name: str | None = None,
    folder: Path | None = None,
    command: str = "",
    execution: Execution | None = None,
    above: Callable[[Summary], Above] | None = None,
) -> Comparison:
    """Plan the comparison or find its stored plan, make the runs that are missing, and write the report.

    name: of its folder in runs/compare; folder: or the whole path. command: what was typed, for the report.
    execution: who makes the runs; by default this machine, one at a time. above: what stands on top of the report.

    Raises a SeqlabError for what a user can fix, Interrupted after Ctrl-C; a run that fails raises nothing and is among
    `Comparison.failed`.
    """
    reporter, execution = reporter or ComparisonReporter(), execution or Execution()
    parsed, configs = parse_plan(request, config_dir)
    first = next(iter(configs.values()))
    code = {label: code_sha256(config.tree, config_dir) for label, config in configs.items()}
    folder = folder or folder_of(parsed, request.runs_dir, name)
    ended = list[Job]()
    if execution.submit and execution.needs_process:
        return Comparison(folder, None, {}, background.submit(command, execution, [folder]))
    if not execution.background and background.process_of(folder) is not None:
        ended = background.follow(folder, reporter)
    with (
        locked(folder, "wait for it; if that process is gone, its last runs are still ending") as lock,
        disk(folder),
        execution.executor(folder, lock) as executor,
    ):
        resumed = (folder / "plan.json").is_file()
        plan = _plan(parsed, request, configs, config_dir, folder, reporter, elsewhere=execution.is_elsewhere)
        try:
            title = f"search of {plan.tune.key}: " if plan.tune is not None else ""
            plan = search(
                plan,
                configs,
                folder,
                config_dir,
                lambda trials: make_runs(trials, plan, folder, reporter, executor, execution, title),
            )
            jobs = [
                Job(
                    variant.label,
                    seed,
                    variant.run_folder(folder, seed),
                    variant.overrides,
                    config_dir,
                    estimated_seconds=variant.known_seconds,
                )
                # seed by seed, so that a comparison that was stopped half-way has the same seeds of all models
                for seed in plan.seeds
                for variant in plan.to_train
            ]
            if resumed and not all(job.is_complete() for job in jobs):
                check_text(plan, first)
            background.take_over(jobs, ended)
            make_runs(jobs, plan, folder, reporter, executor, execution, "")
        except LeftRunning as left:
            return Comparison(folder, None, {}, left_running(left, executor, reporter))
        except Interrupted as stopped:
            raise Interrupted(
                stopped.what, f"kept {folder}; the same command makes the missing runs", stopped.exit_code
            ) from None
        failed: Mapping[tuple[str, int], str]
        failed = {(job.label, job.seed): job.reason for job in jobs if job.status == "failed"}
        runs = read_runs(plan, folder, code)
        plan = replace(plan, notes=(*plan.notes, *run_notes(runs)))
        baselines = stored_baselines(folder)
        summary = summarise(plan, runs, failed, baselines or [], command)
        if summary is not None:
            summary = replace(summary, times=compare_times(plan, runs, read_times(folder), folder))
            try:
                if baselines is None:
                    summary = replace(summary, baselines=tuple(compute_baselines(first, folder, reporter)))
            finally:  # also without them, if Ctrl-C ends what may take long
                write_report(summary, folder, above)
            failed = {(row.label, seed): why for row in summary.rows for seed, why in row.failed.items()}
    return Comparison(folder, summary, failed)


def check_text(plan: Plan, first: RunConfig) -> None:
    """Refuse to add runs that would read a different text from the plan's."""
    if plan.data_sha256 and first.task.build().data_sha256 != plan.data_sha256:
        raise DataError(
            "the corpus is no longer the one that this comparison was begun with",
            f"restore it, or begin another with --name; {MAY_DIFFER}",
        )


def write_report(summary: Summary, folder: Path, above: Callable[[Summary], Above] | None = None) -> None:
    """Write summary.json, summary.csv, the pictures, report.html and TensorBoard's layout. above: as for `compare`."""
    write_files(summary, folder)
    pictures = figures(summary)
    for picture in pictures.values():
        picture.save(folder)
    write_page(summary, pictures, folder, None if above is None else above(summary))
    write_layout(folder, summary.primary)


def _plan(
    parsed: Plan,
    request: Request,
    configs: dict[str, RunConfig],
    config_dir: Path | None,
    folder: Path,
    reporter: ComparisonReporter,
    *,
    elsewhere: bool,
) -> Plan:
    """The stored plan of the same comparison, or a new one."""
    plan = _stored_plan(parsed, folder)
    if plan is None:
        reporter.say("measuring a few steps of each model")
        plan = resolve_plan(parsed, request, configs, config_dir, elsewhere=elsewhere)
    write_plan(plan, folder)
    reporter.planned(plan, folder)
    return plan


def command_line(words: list[str], options: Mapping[str, object]) -> str:
    """The command as it can be typed again."""
    given = [f"--{key} {shlex.quote(str(value))}" for key, value in options.items() if value is not None]
    return " ".join(["seqlab compare", *(shlex.quote(word) for word in words), *given])
