"""The display during training: a live panel on a terminal, plain lines elsewhere. All of it goes to stderr; stdout is
for results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seqlab.cli.live import LivePanel
from seqlab.drawing.numbers import NOT_TRAINED, compact, figure, measured, number, sparkline
from seqlab.errors import printable
from seqlab.runs.reporter import ProgressLines, Reporter, validation_line
from seqlab.training.progress import Observer, Progress

if TYPE_CHECKING:  # torch takes seconds, and the commands about runs need none
    from seqlab.core.metric import Metric
    from seqlab.training.config import TrainerConfig
    from seqlab.training.lengths import AtLength

_SHORTEST_LABEL = 12

Cell = str | Text


def metric_lines(
    metrics: Mapping[str, Metric], primary: str, interval: tuple[float, float], *, split: str = ""
) -> Iterator[Text]:
    """One line per metric, the primary one bold and with its interval. split: a prefix of each name."""
    low, high = interval
    for name, metric in metrics.items():
        text = Text(f"  {split}{name:<20} {figure(metric)}")
        if name == primary:
            known = math.isfinite(low) and math.isfinite(high)
            shown = f"   (95 % {number(low)} to {number(high)})" if known else "   (too few items for an interval)"
            text = Text.assemble((text.plain, "bold"), shown)
        yield text


def length_table(lengths: Sequence[AtLength], metrics: Sequence[str], primary: str, width: int) -> RenderableType:
    """A table of metrics by length of sequence, the primary metric first."""
    others = [name for name in metrics if name != primary]
    rows: list[list[Cell]] = [
        [
            f"{one.length:,}",
            Text(measured(one.values.get(primary)), style="bold"),
            _between(one.interval),
            measured(one.chance.get(primary)),
            *(measured(one.values.get(name)) for name in others),
        ]
        for one in lengths
    ]
    table = fitted(width, ("length", primary.replace("_", " "), "95 %", "chance", *others), rows)
    notes = [f"–: length {one.length:,} was not evaluated: {one.failed}" for one in lengths if one.failed]
    if not all(one.values or one.failed for one in lengths):
        notes.append(NOT_TRAINED)
    return Group(table, *(Text(note, style="dim") for note in notes)) if notes else table


def _between(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{number(low)} to {number(high)}" if math.isfinite(low) and math.isfinite(high) else ""


def fitted(width: int, headings: Sequence[str], rows: Sequence[Sequence[Cell]], *, left: int = 1) -> Table:
    """A plain table that fits into `width` columns: the first column, with labels, is narrowed, and if that is not
    enough the last columns, the least important, are left out. The first `left` columns are left-aligned."""
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    widths = [max(len(heading), *(row[index].cell_len for row in cells), 0) for index, heading in enumerate(headings)]
    shown = len(headings)
    while shown > 2 and width - sum(widths[1:shown]) - 2 * (shown - 1) < min(widths[0], _SHORTEST_LABEL):
        shown -= 1
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    room = max(_SHORTEST_LABEL // 2, width - sum(widths[1:shown]) - 2 * (shown - 1))
    for index, heading in enumerate(headings[:shown]):
        column = min(widths[0], room) if index == 0 else widths[index]
        table.add_column(Text(heading), justify="left" if index < left else "right", width=column, no_wrap=True)
    for row in cells:
        row[0].truncate(min(widths[0], room), overflow="ellipsis")
        table.add_row(*row[:shown])
    return table


class Terminal(Reporter):
    """A reporter that writes to a console. Quiet, it only warns."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console, self.quiet = console, quiet

    def say(self, text: str) -> None:
        if not self.quiet:
            self.console.print(printable(text), highlight=False, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        self.console.print(Text.assemble(("warning: ", "bold yellow"), printable(text)), soft_wrap=True)

    @contextmanager
    def training(self, limits: TrainerConfig) -> Iterator[tuple[Observer, ...]]:
        with Display(self.console, limits, quiet=self.quiet) as display:
            yield (display,)


class Display(LivePanel, ProgressLines):
    """An Observer that shows progress: a live panel on a terminal, plain lines elsewhere, nothing if quiet. Use it in a
    `with` statement."""

    def __init__(self, console: Console, limits: TrainerConfig, *, quiet: bool = False, every_seconds: float = 5.0):
        LivePanel.__init__(self, console, quiet=quiet)
        ProgressLines.__init__(self, limits, self._show, every_seconds)
        self._losses: list[float] = []
        self._validations: list[str] = []

    def _show(self, text: str) -> None:
        if not self.quiet:
            self.console.print(printable(text), highlight=False, markup=False, soft_wrap=True)

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        self._losses.append(scalars["train/loss"])
        if self._live is None:
            super().logged(progress, scalars)
        else:
            self._progress, self._scalars = progress, scalars

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        if self._live is None:
            super().evaluated(progress, metrics, primary, better)
        else:
            self._validations.append(validation_line(progress, metrics, primary, better))

    def _panel(self) -> RenderableType:
        bar = ProgressBar(total=1.0, completed=self._share(), width=None)
        head = Table.grid(padding=(0, 1), expand=True)
        head.add_column(no_wrap=True)
        head.add_column(ratio=1)
        head.add_column(no_wrap=True, justify="right")
        head.add_row(f"step {self._progress.step}{self._of()}", bar, f"{self._left()} left")
        lines: list[RenderableType] = [head]
        if self._scalars:
            width = max(10, min(40, self.console.width - 64))
            lines.append(
                Text.assemble(
                    "train loss ",
                    (number(self._scalars["train/loss"]), "bold"),
                    " ",
                    (sparkline(self._losses, width), "cyan"),
                    f"  gradient norm {self._norm()}  {compact(self._scalars['speed/tokens_per_second'])} tokens/s",
                    no_wrap=True,
                    overflow="ellipsis",
                )
            )
        lines += [Text(text, style="green" if text.endswith("(best)") else "") for text in self._validations[-5:]]
        return Group(*lines)


def end_if_failed(failed: Sequence[str]) -> None:
    """Name the runs that failed, if any did, and end with exit code 1. failed: each run with its reason."""
    if failed:
        typer.echo(f"{len(failed)} of the runs failed; the same command repeats them: {'; '.join(failed)}", err=True)
        raise typer.Exit(1)
