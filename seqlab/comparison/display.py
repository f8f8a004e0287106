"""What a person sees of a comparison: the plan, a live table, and the findings. At 80 columns and more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import fmean
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from seqlab.comparison.jobs import Job
from seqlab.comparison.plan import Plan
from seqlab.comparison.summary import Row, Summary
from seqlab.display import clock, compact, sparkline

_DOTS = {"waiting": ("○", "dim"), "running": ("◐", "yellow"), "done": ("●", "green"), "failed": ("✗", "bold red")}


def _table(*columns: tuple[str, str]) -> Table:
    """A plain table; each column has a heading and a side: l or r."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for heading, side in columns:
        table.add_column(heading, justify="right" if side == "r" else "left", no_wrap=True, overflow="ellipsis")
    return table


def number(value: float | None) -> str:
    """A metric's value for people."""
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def size(count: float | None) -> str:
    """A count in three figures, or a dash."""
    return "–" if count is None else compact(count)


def show_plan(plan: Plan, console: Console) -> None:
    """Sizes, budgets and the time that all of it should take."""
    table = _table(*[("model", "l"), *((h, "r") for h in ("embedding", "body", "head", "steps", "tokens", "FLOPs/tok"))])
    table.add_column("a run", justify="right", no_wrap=True)
    for variant in plan.variants:
        sizes, probe = variant.sizes, variant.probe
        tokens = variant.max_steps * probe.tokens_per_step if variant.max_steps and probe else None
        table.add_row(
            Text(variant.label),
            *((f"{n:,}" for n in (sizes.embedding, sizes.body, sizes.head)) if sizes else "–––"),
            str(variant.max_steps or "–"),
            size(tokens),
            size(probe.flops_per_token if probe else None),
            "is there" if variant.existing else clock(variant.seconds),
        )
    console.print(f"[bold]{plan.task}[/], seeds {', '.join(map(str, plan.seeds))}", highlight=False)
    console.print(table)
    for note in plan.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    if plan.tune is not None:
        what = f"{plan.tune.count} values of {plan.tune.key} for each model, chosen on validation"
        console.print(f"first a search: {what}", highlight=False, soft_wrap=True)
    if plan.seconds:
        console.print(f"about {clock(plan.seconds)} in all, one run after the other", highlight=False)


class Watch:
    """The live table while runs are made; without a terminal, one line for each run that ends."""

    def __init__(self, console: Console, jobs: Sequence[Job], plan: Plan, primary: str, title: str, *, quiet: bool):
        self.console, self.jobs, self.plan, self.title, self.quiet = console, jobs, plan, title, quiet
        self.tag = f"val/{primary}"
        self._told: set[int] = set()
        self._live: Live | None = None
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        if self.console.is_terminal and not self.quiet:
            self._live = Live(console=self.console, refresh_per_second=4, get_renderable=self._panel)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def look(self) -> None:
        """Tell of what has ended since the last look; the live table draws itself."""
        for index, job in enumerate(self.jobs):
            if job.status not in ("done", "failed") or index in self._told:
                continue
            self._told.add(index)
            if self._live is None and not self.quiet and job.seconds:
                told = f"failed: {job.reason}" if job.status == "failed" else self._best(job)
                line = f"{job.label}, seed {job.seed}: {told} ({clock(job.seconds)}); {self._progress()}"
                self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _progress(self) -> str:
        ended = sum(job.status in ("done", "failed") for job in self.jobs)
        return f"{ended} of {len(self.jobs)} runs, about {clock(self._left())} left"

    def _best(self, job: Job) -> str:
        values = self._values(job)
        return f"validation {self.tag[4:]} {number(values[-1])}" if values else "no validation"

    def _values(self, job: Job) -> list[float]:
        return [line[self.tag] for line in job.lines if line.get(self.tag) is not None]

    def _left(self) -> float:
        """The plan's estimate, corrected by how long the ended runs really took."""
        planned = {variant.label: variant.seconds for variant in self.plan.variants}
        ended = [job for job in self.jobs if job.status == "done" and job.seconds]
        expected = sum(planned[job.label] for job in ended)
        factor = sum(job.seconds for job in ended) / expected if expected else 1.0
        left = 0.0
        for job in self.jobs:
            if job.status == "waiting":
                left += planned[job.label] * factor
            elif job.status == "running":
                left += max(0.0, planned[job.label] * factor - job.seconds)
        return left

    def _panel(self) -> RenderableType:
        table = _table(("model", "l"), ("seeds", "l"), ("validation", "l"), ("latest", "r"), ("step", "r"), ("tokens/s", "r"))
        steps = {variant.label: variant.max_steps for variant in self.plan.variants}
        for label in dict.fromkeys(job.label for job in self.jobs):
            mine = [job for job in self.jobs if job.label == label]
            shown = next((job for job in mine if job.status == "running"), None)
            shown = shown or next((job for job in reversed(mine) if job.lines), None)
            values = self._values(shown) if shown else []
            speeds = [line["speed/tokens_per_second"] for line in shown.lines if "speed/tokens_per_second" in line] if shown else []
            table.add_row(
                Text(label, overflow="ellipsis"),
                Text.assemble(*((f"{_DOTS[job.status][0]}", _DOTS[job.status][1]) for job in mine)),
                Text(sparkline(values, 14), style="cyan"),
                number(values[-1]) if values else "",
                f"{shown.step}/{steps[label] or '?'}" if shown else "",
                compact(fmean(speeds[-20:])) if speeds else "",
            )
        foot = Text(f"{self.title}{self._progress()}, {clock(time.monotonic() - self._started)} so far", style="dim")
        return Group(table, foot)


def show_summary(summary: Summary, console: Console) -> None:
    """Quality, cost, verdicts, failures."""
    plan = summary.plan
    console.print()
    console.print(_quality(summary))
    console.print()
    console.print(_cost(summary))
    if any(row.front for row in summary.rows) and len(summary.rows) > 1:
        console.print(Text("* no other model is better and quicker to train", style="dim"))
    if summary.target is not None and len(summary.rows) > 1:
        console.print(
            Text(
                f"to target: training time until validation {summary.primary} is {number(summary.target)}, "
                "which every run reached",
                style="dim",
            )
        )
    for label, tried in summary.tuned.items():
        console.print(Text(tuned_line(summary, label, tried), style="dim"))
    for note in plan.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    if summary.verdicts:
        console.print()
    for pair, text in zip(summary.pairs, summary.verdicts, strict=True):
        console.print(Text(text, style="bold" if pair.significant else ""))
    if len(summary.pairs) > 1:
        console.print(Text(f"({len(summary.pairs)} pairs, corrected together by Holm's method)", style="dim"))
    for row in summary.rows:
        for seed, why in row.failed.items():
            console.print(Text(f"failed: {row.label}, seed {seed}: {why}", style="red"))


def tuned_line(summary: Summary, label: str, tried: dict[str, float] | object) -> str:
    """What the search chose for one model, and whether it stood at the edge of what was tried."""
    assert isinstance(tried, dict)
    key = summary.plan.tune.key if summary.plan.tune is not None else ""
    best = (max if summary.metric.higher_is_better else min)(tried, key=lambda value: tried[value])
    ranked = sorted(tried, key=float)
    edge = "" if best not in (ranked[0], ranked[-1]) else "; at the edge of what was tried, a wider search may find better"
    return f"{label}: {key}={best} validated best of {', '.join(ranked)}{edge}"


def _quality(summary: Summary) -> Table:
    table = _table(("model", "l"), (f"test {summary.primary}", "r"), ("95 % over seeds", "r"), ("seeds", "r"))
    others = [name for name in (summary.rows[0].figures if summary.rows else {}) if name != summary.primary][:3]
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    for row in summary.rows:
        interval = "–" if row.interval is None else f"{number(row.interval[0])} to {number(row.interval[1])}"
        failed = f" ✗{len(row.failed)}" if row.failed else ""
        table.add_row(
            Text(row.label),
            Text(number(row.mean), style="bold"),
            interval,
            f"{len(row.test)}{failed}",
            *(number(row.figures.get(name)) for name in others),
        )
    for baseline in summary.baselines:
        values = {name: metric.value for name, metric in baseline.metrics.items()}
        table.add_row(
            Text(baseline.name, style="italic"),
            number(values.get(summary.primary)),
            Text("no network", style="dim"),
            "",
            *(number(values.get(name)) for name in others),
        )
    return table


def cost_cells(row: Row) -> list[str]:
    """Parameters, steps, training time, time to the target, tokens/s, FLOPs a token, memory, state, writing."""
    probe, sizes = row.variant.probe, row.variant.sizes
    state = probe.state_bytes if probe else None
    return [
        size(sizes.params if sizes else row.runs[0].result["parameters"] if row.runs else None),
        clock(row.training_seconds) if row.training_seconds is not None else "–",
        clock(row.seconds_to_target) if row.seconds_to_target is not None else "–",
        size(row.tokens_per_second),
        size(probe.flops_per_token if probe else None),
        "–" if row.peak_memory_bytes is None else f"{row.peak_memory_bytes / 2**20:.0f} MiB",
        "–" if state is None else f"{compact(state)}B",
        "–" if probe is None or probe.generated_per_second is None else f"{compact(probe.generated_per_second)}/s",
    ]


COST_HEADINGS = ("params", "train", "to target", "tokens/s", "FLOPs/tok", "memory", "state", "writes")


def _cost(summary: Summary) -> Table:
    table = _table(("model", "l"), *((heading, "r") for heading in COST_HEADINGS))
    for row in summary.rows:
        table.add_row(Text.assemble(row.label, (" *" if row.front and len(summary.rows) > 1 else "", "green")), *cost_cells(row))
    return table
