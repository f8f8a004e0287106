"""Fills the tables of docs/ from benchmarks/results, so that no figure there was typed by hand.

A table stands between `<!-- table: NAME.json -->` and `<!-- end -->`. The benchmark that wrote it is named in it, and
its function `table` says what stands between; a test holds docs and files equal.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import torch

from seqlab.core.files import write_json

TOP = Path(__file__).parent.parent
RESULTS = TOP / "benchmarks" / "results"
_PLACE = re.compile(r"(<!-- table: (?P<name>[\w.-]+)\.json -->\n).*?(\n<!-- end -->)", re.DOTALL)


def save(benchmark: str, part: str, found: dict[str, Any]) -> None:
    """Store a benchmark's results, with machine and time."""
    facts = {
        "benchmark": benchmark,
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    RESULTS.mkdir(exist_ok=True)
    write_json(RESULTS / f"{benchmark}-{part}.json", {**facts, **found})


def parts(parser: argparse.ArgumentParser, known: Iterable[str], words: Sequence[str] | None = None) -> Any:
    """What was typed; its `parts` are those of `known` that are asked for, or all of them."""
    # argparse holds a default against the choices as if it had been typed
    parser.add_argument("parts", nargs="*", default=[], choices=[[], *known])
    given = parser.parse_args(words)
    given.parts = given.parts or list(known)
    return given


def markdown(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table as docs/ has it."""
    headings = list(headings)
    lines = [f"| {' | '.join(map(str, cells))} |" for cells in (headings, *rows)]
    return "\n".join([lines[0], "| --- " * len(headings) + "|", *lines[1:]])


def fill(text: str) -> str:
    """A page with each of its tables made anew."""

    def table(place: re.Match[str]) -> str:
        path, benchmark = RESULTS / f"{place['name']}.json", place["name"].partition("-")[0]
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            made = importlib.import_module(f"benchmarks.{found.get('benchmark', benchmark)}").table(found)
        else:  # a benchmark that says itself what was not measured
            made = importlib.import_module(f"benchmarks.{benchmark}").absent(place["name"])
        return f"{place[1]}{made}{place[3]}"

    return _PLACE.sub(table, text)


def main() -> None:
    """Fill every page of docs/ and README."""
    for path in (TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))):
        before = path.read_text(encoding="utf-8")
        if (after := fill(before)) != before:
            path.write_text(after, encoding="utf-8")
            print(f"filled {path.relative_to(TOP)}")


if __name__ == "__main__":
    main()
