"""The terminal output of an evaluation."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

from seqlab.cli.display import length_table, metric_lines
from seqlab.core.meter import Table
from seqlab.errors import printable
from seqlab.runs.evaluate import Evaluation


def show_evaluation(found: Evaluation, console: Console) -> None:
    """Print the metrics, the task's tables, and the file with the items."""
    where = f"{found.device.name} {found.device.precision}"
    split = "test (= validation)" if found.split == "test" and found.test_is_validation else found.split
    what = f"{split} split" if found.corpus is None else f"the whole of {printable(found.corpus)}"
    about = f"{found.folder}, {what}, weights of step {found.step}, {where}"
    console.print(about, markup=False, highlight=False, soft_wrap=True)
    for line in metric_lines(found.metrics, found.primary, found.interval):
        console.print(line)
    for name, (count, of_all) in found.unknown.items():
        if count or found.corpus is not None:
            share = f"{count:,} of {of_all:,} {name} ({count / max(of_all, 1):.1%})"
            console.print(f"not seen in training: {share}", markup=False, highlight=False)
    if found.lengths:
        console.print()
        console.print(length_table(found.lengths, list(found.metrics), found.primary, console.width))
    for table in found.tables:
        console.print()
        console.print(drawn(table))
    console.print(f"\n{found.count} items: {found.items}", markup=False, highlight=False, soft_wrap=True)


def drawn(table: Table) -> Drawn:
    drawn = Drawn(
        title=Text(printable(table.title)), title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for column, heading in enumerate(table.headings):
        drawn.add_column(Text(printable(heading)), justify="left" if table.is_text(column) else "right")
    for row in table.rows:
        drawn.add_row(*(Text(_cell(cell)) for cell in row))
    return drawn


def _cell(cell: str | float) -> str:
    if isinstance(cell, str):
        return printable(cell)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.3f}" if abs(cell) < 10 else f"{cell:.1f}"
