"""A comparison on the terminal, 80 columns or wider: the plan, a live table, and the findings."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from seqlab.cli.display import Cell, fitted
from seqlab.cli.live import LivePanel
from seqlab.cli.plan_display import show_plan
from seqlab.comparison.conditions import cautions, condition, differing_cells, no_better
from seqlab.comparison.lengths import about_lengths, length_cells
from seqlab.comparison.plan import Plan
from seqlab.comparison.reporter import ComparisonReporter, newly_ended
from seqlab.comparison.summary import Summary
from seqlab.comparison.verdict import correction_text
from seqlab.comparison.wording import (
    cost_table,
    data_line,
    interval_text,
    target_text,
    tuned_line,
)
from seqlab.drawing.numbers import clock, compact, number, sparkline
from seqlab.errors import printable
from seqlab.executors.job import Job

MARKS = {
    "waiting": ("○", "dim"), "running": ("◐", "yellow"), "done": ("●", "green"), "failed": ("✗", "bold red"),
    "cancelled": ("◌", "dim"),
}  # fmt: skip
_MOST_STEPS = 2  # of runs beside each other, in one cell


class TerminalReporter(ComparisonReporter):
    """A reporter that writes to a console; quiet, it writes warnings alone."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console, self.quiet = console, quiet

    def say(self, text: str) -> None:
        if not self.quiet:
            self.console.print(printable(text), style="dim", markup=False, highlight=False, soft_wrap=True)

    def planned(self, plan: Plan, folder: Path) -> None:
        if not self.quiet:
            show_plan(plan, self.console)
            self.console.print(f"folder: {folder}", highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def runs(self, jobs: Sequence[Job], plan: Plan, title: str) -> Iterator[Callable[[], None]]:
        with LiveTable(self.console, jobs, plan, title, quiet=self.quiet) as table:
            yield table.update

    def leave_running(self) -> bool:
        if not (self.console.is_terminal and sys.stdin.isatty()):
            self.console.print("the runs go on", highlight=False)
            return True
        try:
            return not typer.confirm("the runs go on without this command. Stop them?", default=False, err=True)
        except typer.Abort:  # Ctrl-C once more
            return True


class LiveTable(LivePanel):
    """The live table while runs are made; without a terminal, a line for each run that ends.

    made, each: what its runs are, together and for one model.
    """

    made, each = "runs", "seeds"

    def __init__(self, console: Console, jobs: Sequence[Job], plan: Plan, title: str, *, quiet: bool):
        super().__init__(console, quiet=quiet)
        self.jobs, self.plan, self.title = jobs, plan, title
        self.tag = f"val/{plan.primary}"
        self._reported: set[int] = set()
        self._started = time.monotonic()

    def update(self) -> None:
        """Report the runs that have ended since the last call; the live table draws itself."""
        for job in newly_ended(self.jobs, self._reported):
            if self._live is None and not self.quiet:
                outcome = f"failed: {job.reason}" if job.status == "failed" else self._last(job)
                outcome += ", stopped early" * (job.status == "cancelled")
                line = f"{job.name}: {outcome} ({clock(job.seconds)}); {self._progress()}"
                self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _progress(self) -> str:
        ended = sum(job.status in ("done", "failed", "cancelled") for job in self.jobs)
        return f"{ended} of {self._total()} {self.made}, about {clock(self._left())} left"

    def _total(self) -> int:
        return len(self.jobs)

    def _marks(self, jobs: Sequence[Job]) -> Text:
        """How far the runs of one model are: a mark each."""
        return Text.assemble(*(MARKS[job.status] for job in jobs))

    def _last(self, job: Job) -> str:
        values = self._values(job)
        return f"last validation {self.tag[4:]} {number(values[-1])}" if values else "no validation"

    def _values(self, job: Job) -> list[float]:
        return [line[self.tag] for line in job.lines if line.get(self.tag) is not None]

    def _left(self) -> float:
        """The plan's estimate, corrected by how long the ended runs really took, with as many at a time as now."""
        planned = {variant.label: variant.estimated_seconds for variant in self.plan.variants}
        ended = [job for job in self.jobs if job.status == "done" and job.seconds]
        expected = sum(planned[job.label] for job in ended)
        factor = sum(job.seconds for job in ended) / expected if expected else 1.0
        left = 0.0
        for job in self.jobs:
            if job.status == "waiting":
                left += planned[job.label] * factor
            elif job.status == "running":
                left += max(0.0, planned[job.label] * factor - job.seconds)
        return left / max(1, sum(job.status == "running" for job in self.jobs))

    def _panel(self) -> RenderableType:
        steps = {variant.label: variant.max_steps for variant in self.plan.variants}
        rows: list[list[Cell]] = []
        for label in dict.fromkeys(job.label for job in self.jobs):
            mine = [job for job in self.jobs if job.label == label]
            logged = [job for job in mine if job.lines]
            running = [job for job in logged if job.status == "running"] or logged[-1:]
            values = self._values(running[-1]) if running else []
            rows.append(
                [
                    label,
                    self._marks(mine),
                    Text(sparkline(values, 14).ljust(14), style="cyan"),
                    number(values[-1]) if values else "",
                    f"{_steps(running)}/{steps[label] or '?'}" if running else "",
                    compact(speed) if (speed := sum(map(_speed, running))) else "",
                ]
            )
        headings = ("model", self.each, "validation", "latest", "step", "tokens/s")
        took = clock(time.monotonic() - self._started)
        foot = Text(f"{self.title}{self._progress()}, {took} so far", style="dim")
        return Group(fitted(self.console.width, headings, rows, left=3), foot)


def _steps(jobs: Sequence[Job]) -> str:
    """How far runs of one model are."""
    found = sorted({job.step for job in jobs})
    return "+".join(map(str, found)) if len(found) <= _MOST_STEPS else f"{found[0]}..{found[-1]}"


def _speed(job: Job) -> float:
    """Tokens per second of a run in its last log lines."""
    speeds = [line["speed/tokens_per_second"] for line in job.lines[-20:] if "train/loss" in line]
    return fmean(speeds) if speeds else 0.0


def show_summary(summary: Summary, console: Console) -> None:
    """Quality, cost, verdicts, failures."""
    plan = summary.plan
    console.print()
    if plan.data:
        console.print(Text(data_line(plan), style="dim"))
    console.print(_quality(summary, console.width))
    console.print()
    headings, models, chance = length_cells(summary)
    if models:
        console.print(Text(f"test {summary.unit} {about_lengths(models)}", style="bold"))
        console.print(fitted(console.width, headings, [*models, *chance]))
        console.print()
    costs, legend = _costs(summary, console.width)
    console.print(costs)
    if any(row.pareto_optimal for row in summary.rows) and len(summary.rows) > 1:
        console.print(Text("* no other model is better and quicker to train", style="dim"))
    if summary.target is not None and len(summary.rows) > 1:
        console.print(Text(target_text(summary), style="dim"))
    console.print(Text(legend, style="dim"))
    for label in plan.tuned:
        console.print(Text(tuned_line(plan, label), style="dim"))
    for note in (*no_better(summary), *plan.notes):
        console.print(Text(f"note: {note}", style="yellow"))
    headings, cells = differing_cells(summary)
    if cells:
        console.print(Text("\nsettings that differ between these models", style="bold"))
        console.print(fitted(console.width, headings, cells))
    if summary.verdicts:
        console.print(Text(f"\n{condition(summary)}:"))
    for pair, text in zip(summary.pairs, summary.verdicts, strict=True):
        console.print(Text(text, style="bold" if pair.significant else ""))
    if correction := correction_text(summary.pairs):
        console.print(Text(f"(p {correction})", style="dim"))
    if summary.against_baseline:
        console.print(Text(f"\n{summary.against_baseline}"))
    for _, caution in cautions(summary):
        console.print(Text(caution, style="yellow"))
    if summary.times is not None:
        console.print(Text(f"\n{summary.times.text()}", style="dim"))
    for row in summary.rows:
        for seed, why in row.failed.items():
            console.print(Text(f"failed: {row.label}, seed {seed}: {why}", style="red"))


def _quality(summary: Summary, width: int) -> Table:
    others = [name for name in (summary.rows[0].figures if summary.rows else {}) if name != summary.primary][:3]
    rows: list[list[Cell]] = []
    for row in summary.rows:
        failed = f" ✗{len(row.failed)}" if row.failed else ""
        rows.append(
            [
                row.label,
                Text(number(row.mean), style="bold"),
                interval_text(row),
                f"{len(row.test)}{failed}",
                *(number(row.figures.get(name)) for name in others),
            ]
        )
    for baseline in summary.baselines:
        values = {name: metric.value for name, metric in baseline.metrics.items()}
        rows.append(
            [
                Text(baseline.name, style="italic"),
                number(values.get(summary.primary)),
                Text("no network", style="dim"),
                "",
                *(number(values.get(name)) if name in values else "" for name in others),
            ]
        )
    return fitted(width, ("model", f"test {summary.unit}", f"95 % {summary.over}", "seeds", *others), rows)


def _costs(summary: Summary, width: int) -> tuple[Table, str]:
    """(the table of costs, its legend)."""
    headings, costs, legend = cost_table(summary.rows)
    rows: list[list[Cell]] = []
    for row, cells in zip(summary.rows, costs, strict=True):
        star = "* " if row.pareto_optimal and len(summary.rows) > 1 else ""
        rows.append([Text.assemble((star, "green"), row.label), *cells])
    return fitted(width, ("model", *headings), rows), legend
