"""Reproductions on the terminal: the list of them, and what one came to."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from seqlab.cli.display import Cell, fitted
from seqlab.data.corpora import find
from seqlab.drawing.numbers import clock
from seqlab.reproduction.published import Published, Reproduction
from seqlab.reproduction.read import read_reproduction, reproductions

if TYPE_CHECKING:  # torch takes seconds, and a list needs none
    from seqlab.reproduction.reproduce import Reproduced

_STYLES = {"reproduced": "bold green", "not reproduced": "bold red", "not comparable": "yellow"}


def _all(config_dir: Path | None) -> dict[str, Reproduction]:
    return {name: read_reproduction(name, config_dir) for name in reproductions(config_dir)}


def listed_json(config_dir: Path | None) -> list[dict[str, Any]]:
    """Every reproduction as its file has it."""
    return [{"name": name, **asdict(told)} for name, told in _all(config_dir).items()]


def show_list(config_dir: Path | None, console: Console) -> None:
    """Each reproduction with what was published, how long it takes, and what it needs and is not here."""
    for name, told in _all(config_dir).items():
        console.print(Text.assemble((name, "cyan"), f"  {told.title}"), soft_wrap=True)
        console.print(Text(f"    published: {_short(told.published)}", style="dim"), soft_wrap=True)
        takes = f"about {clock(60 * told.minutes)} on {told.machine}"
        console.print(Text(f"    {takes}; needs {_needs(told)}", style="dim"), soft_wrap=True)
    console.print(Text("\nseqlab reproduce NAME runs one; --dry-run shows what it would do", style="dim"))


def _short(published: tuple[Published, ...]) -> str:
    """The values, in a few words."""
    if not published:
        return "none"
    values = ", ".join(f"{figure.value:g}" for figure in published)
    return f"{values} {published[0].unit}"


def _needs(told: Reproduction) -> str:
    corpora = [name if find(name).where() else f"{name} (not here)" for name in told.needs.corpora]
    return ", ".join((*corpora, *(["a GPU"] if told.needs.gpu else []))) or "nothing"


def show_outcome(done: Reproduced, console: Console) -> None:
    """Published beside ours, the verdicts, what differs, and where the report is."""
    from seqlab.reproduction.page import figures

    found = done.outcome
    told = found.reproduction
    console.print()
    console.print(Text(told.title, style="bold"))
    console.print(Text(f"{told.citation}, {told.link}", style="dim"))
    rows: list[list[Cell]] = []
    for line in found.lines:
        published, ours, interval = figures(line)
        label = line.published.of if line.published is not None else f"ours: {line.ours.label if line.ours else ''}"
        finding = Text("")
        if line.verdict is not None:
            finding = Text(line.verdict.finding, style=_STYLES[line.verdict.finding])
        rows.append([label, published, Text(ours, style="bold"), interval, finding])
    console.print(fitted(console.width, ("", "published", "ours", "95 % over seeds", "verdict"), rows))
    console.print()
    for line in found.lines:
        if line.verdict is not None and line.published is not None:
            console.print(Text(f"{line.published.of}: {line.verdict.text}"))
    if not told.published:
        console.print(Text("no published figure is known that can be trusted: this is ours"))
    for text in told.differs:
        console.print(Text(f"differs: {text}", style="dim"))
    console.print(Text(f"\nreport:   {done.folder / 'report.html'}"), soft_wrap=True)
