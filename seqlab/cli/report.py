"""The terminal output of a dry run and of a result."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from seqlab.cli.display import length_table, metric_lines
from seqlab.config.sources import group_files
from seqlab.drawing.numbers import clock, compact, described
from seqlab.errors import printable, printable_lines
from seqlab.runs.dry_run import DryRun
from seqlab.runs.result import Result


def show_dry_run(found: DryRun, console: Console) -> None:
    """Print what a run would do."""
    shares = ", ".join(f"{name} {count:,}" for name, count in found.parameters_by_part.items())
    for line in (
        f"{found.model} on {found.task}, {found.device} {found.precision}: nothing was trained",
        *(f"  {key}: {value}" for key, value in described(found.data).items()),
        f"  parameters: {found.parameters:,} ({shares})",
        *(f"  note: {text}" for text in found.budgets),
    ):
        _print(line, console)
    _show_warnings(found.warnings, console)


def _print(line: str, console: Console) -> None:
    """Print a line without markup and with control characters escaped."""
    console.print(Text(printable(line)), soft_wrap=True)


def _show_warnings(warnings: Iterable[str], console: Console) -> None:
    for warning in warnings:
        line = Text.assemble("  ", ("warning: ", "bold yellow"), printable(warning))
        console.print(line, soft_wrap=True)


def _board_folder(result: Result) -> Path:
    """runs/ for a run in its usual place, so that it is shown with the others; else the run's own folder."""
    above = list(result.folder.parents)
    usual = len(above) > 2 and (above[0].name, above[1].name) == (result.model, result.task)
    return above[2] if usual else result.folder


def _next_after(model: str, models: Iterable[str]) -> str:
    """The model that comes after this one; the first after the last."""
    others = [other for other in models if other != model]
    return next((other for other in others if other > model), others[0])


def show_result(result: Result, console: Console, overrides: list[str], config_dir: Path | None) -> None:
    """Print the test figures, a sample, and commands to try next."""
    console.print()
    for line in metric_lines(result.metrics, result.primary, result.test_interval, split="test "):
        console.print(line)
    if result.lengths:
        table = length_table(result.lengths, list(result.metrics), result.primary, console.width - 2)
        console.print(Padding(table, (1, 0, 1, 2)))
    _show_warnings(result.remarks, console)
    if known := sum(warning not in result.remarks for warning in result.warnings):
        _show_warnings([f"{known} about the data, shown before training"], console)
    _print("  95 %: over test items, for this one seed", console)
    _print(
        f"  {result.steps} steps in {clock(result.seconds)}, {compact(result.tokens_per_second)} tokens/s, "
        f"best at step {result.best_step}",
        console,
    )
    console.print()
    if result.sample:
        _print(f"sample of {result.model}:", console)
        console.print(Padding(Text(printable_lines(result.sample)), (0, 0, 0, 2)))
        console.print()
    _print(f"see it:   {shlex.join(['seqlab', 'board', str(_board_folder(result))])}", console)
    own = ["--config-dir", str(config_dir)] if config_dir is not None else []
    _print(f"see why:  {shlex.join(['seqlab', 'inspect', str(result.folder), *own])}", console)
    # settings of this model would be an error with another one
    words = [o for o in overrides if not o.lstrip("+~").startswith(("model", "init_from"))]
    rest = shlex.join([*words, *own])
    other = _next_after(result.model, group_files("model", config_dir))
    _print(f"try next: seqlab train model={other} {rest}".rstrip(), console)
