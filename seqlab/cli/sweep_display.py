"""A sweep on the terminal, 80 columns or wider: the plan, and what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.text import Text

from seqlab.cli.comparison_display import MARKS, LiveTable, TerminalReporter
from seqlab.cli.display import Cell, fitted
from seqlab.cli.plan_display import plan_table
from seqlab.comparison.plan import Plan
from seqlab.comparison.wording import data_line
from seqlab.drawing.numbers import clock, compact, number
from seqlab.executors.job import Job
from seqlab.sweeps.plan import SweepPlan
from seqlab.sweeps.reporter import SweepReporter
from seqlab.sweeps.request import SweepRequest
from seqlab.sweeps.summary import Summary
from seqlab.sweeps.wording import edges, outcome_text, plan_text, settings_of, test_text

_MOST_ROWS = 20


class SweepTerminal(TerminalReporter, SweepReporter):
    """A reporter that writes to a console; quiet, it writes warnings alone."""

    count = 0

    def sweeping(self, plan: SweepPlan, request: SweepRequest, folder: Path) -> None:
        self.count = request.count
        if not self.quiet:
            show_sweep_plan(plan, request, self.console)
            self.console.print(f"folder: {folder}", highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def runs(self, jobs: Sequence[Job], plan: Plan, title: str) -> Iterator[Callable[[], None]]:
        with SweepTable(self.console, jobs, plan, title, quiet=self.quiet) as table:
            table.count = self.count
            yield table.update


class SweepTable(LiveTable):
    """The live table while trials are made. count: how many there will be; those of a search are not known yet."""

    made, each, count = "trials", "trials", 0

    def _total(self) -> int:
        return max(self.count, len(self.jobs))  # whoever follows a search does not know how many it will make

    def _left(self) -> float:
        unknown = max(0, self.count - len(self.jobs))
        ended = [job.seconds for job in self.jobs if job.status in ("done", "failed", "cancelled") and job.seconds]
        each = fmean(ended) if ended else fmean(variant.estimated_seconds for variant in self.plan.variants)
        at_once = max(1, sum(job.status == "running" for job in self.jobs))
        return super()._left() + unknown * each / at_once

    def _marks(self, jobs: Sequence[Job]) -> Text:
        counts = Counter[str](job.status for job in jobs)
        return Text(" ").join(
            Text.assemble(str(counts[status]), mark) for status, mark in MARKS.items() if counts[status]
        )


def show_sweep_plan(plan: SweepPlan, request: SweepRequest, console: Console) -> None:
    """Print what is tried, the sizes in the middle of it, and the time that all trials should take."""
    models = plan.models
    console.print(Text.assemble((models.task, "bold"), f", {plan_text(plan, request)}"))
    for axis in request.axes.values():
        console.print(f"  {axis.key}: {axis}", highlight=False, markup=False, soft_wrap=True)
    if models.data:
        console.print(data_line(models), highlight=False, markup=False, soft_wrap=True)
    console.print(plan_table(models, console.width))
    for note in models.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    if seconds := plan.estimated_seconds(request):
        known = all(variant.max_steps for variant in models.variants)
        about = "more than" if not known else "at most about" if request.search and request.search.prune else "about"
        each = "each as long as one in the middle of all values"
        console.print(f"{about} {clock(seconds)} in all, one trial after the other, {each}", highlight=False)


def show_sweep(summary: Summary, console: Console) -> None:
    """Print the trials, the best first, what mattered, and the best settings as a line to paste."""
    console.print()
    keys = [axis.key for axis in summary.request.axes.values()]
    rows: list[list[Cell]] = []
    for trial in summary.trials[:_MOST_ROWS]:
        rows.append(
            [
                str(trial.number),
                Text(number(trial.last), style="bold" if trial is summary.best else ""),
                *settings_of(trial),
                outcome_text(trial),
                compact(trial.parameters) if trial.parameters is not None else "",
            ]
        )
    names = [key.rpartition(".")[2] for key in keys]
    headings = ("trial", f"validation {summary.metric.unit or summary.primary}", *names, "outcome", "params")
    console.print(fitted(console.width, headings, rows))
    if len(summary.trials) > _MOST_ROWS:
        console.print(Text(f"and {len(summary.trials) - _MOST_ROWS} more, in trials.csv", style="dim"))
    if summary.importance:
        shares = ", ".join(f"{key} {share:.0%}" for key, share in summary.importance.items())
        console.print(Text(f"share of the variance of validations: {shares}", style="dim"))
    for edge in edges(summary):
        console.print(Text(f"note: {edge}", style="yellow"))
    for place, why in summary.failed.items():
        console.print(Text(f"failed: trial {place}: {why}", style="red"))
    console.print(Text(f"\nbest on validation: {' '.join(summary.best.overrides)}", style="bold"))
    console.print(Text(test_text(summary), style="dim"))
    console.print(summary.best_command, highlight=False, markup=False, soft_wrap=True)
