"""The reproductions of docs/reproductions.md, made in the current folder's runs/; complete runs are not repeated.

`python -m benchmarks reproduce NAME...` keeps what `seqlab reproduce NAME --json` prints. What was not run here stands
in the page with its command.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.tables import markdown, save
from seqlab.drawing.numbers import number
from seqlab.reproduction.published import Published, Reproduction
from seqlab.reproduction.read import read_reproduction, reproductions

_HEADINGS = ("published of", "published", "ours", "95 % over seeds", "seeds", "our model", "verdict")
_OVERVIEW = "overview"
_NOT_RUN = "not run here"


def main() -> None:
    """Make the reproductions that are named, and store each in benchmarks/results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=list(reproductions(None)))
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--overrides", nargs="+", default=[], help="such as device=cpu, or less training")
    given = parser.parse_args()
    for name in given.names:
        load = os.getloadavg()[0]
        options = ["--jobs", str(given.jobs), *([] if given.seeds is None else ["--seeds", str(given.seeds)])]
        command = [sys.executable, "-m", "seqlab", "reproduce", name, *given.overrides, *options, "--json", "--quiet"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        (found,) = json.loads(done.stdout)
        save("reproduce", name, {"load": load, **{key: value for key, value in found.items() if key != "folder"}})


def table(found: dict[str, Any]) -> str:
    """One reproduction that was run."""
    told = read_reproduction(found["name"], None)
    machine = found["environment"]
    taken = "" if found["time"] is None else f"{found['time']['taken_seconds'] / 60:.0f} minutes"
    versions = f"torch {machine['torch']}" if "torch" in machine else ""
    facts = ", ".join(filter(None, (taken, machine.get("gpu") or machine.get("cpu"), versions)))
    shown = f"`{found['command']}`: {facts}"
    verdicts = [
        f"- {line['published']['of']}: {line['verdict']['text']}."
        for line in found["lines"]
        if line["verdict"] is not None
    ]
    rows = [_row(line, found) for line in found["lines"]]
    return "\n\n".join(
        filter(None, (_source(told), shown, markdown(_HEADINGS, rows), "\n".join(verdicts), _about(told)))
    )


def absent(name: str) -> str:
    """One reproduction that was not run; or all of them in a few words."""
    part = name.partition("-")[2]
    if part == _OVERVIEW:
        return _overview()
    told = read_reproduction(part, None)
    needs = [*(f"the corpus {corpus}" for corpus in told.needs.corpora), *(["a GPU"] if told.needs.gpu else [])]
    needed = f"; it needs {' and '.join(needs)}" if needs else ""
    duration = f"{told.minutes:g} minutes" if told.minutes <= 120 else f"{told.minutes / 60:.0f} hours"
    command = f"`seqlab reproduce {part}`, about {duration} on {told.machine}{needed}"
    shown = f"{_NOT_RUN.capitalize()}: {command}."
    rows = [(one.of, f"{one.value:g} {one.unit}", _NOT_RUN, "", "", one.ours, "") for one in told.published]
    return "\n\n".join(filter(None, (_source(told), shown, markdown(_HEADINGS, rows) if rows else "", _about(told))))


def _source(told: Reproduction) -> str:
    return f"[{told.citation}]({told.link})."


def _about(told: Reproduction) -> str:
    """What was published, and what differs."""
    figures = [f"- {one.of}: {one.measured} ({one.where})." for one in told.published]
    differs = [f"- {text}." for text in told.differs]
    parts = [("What was published:", figures), ("What differs from the original:", differs)]
    return "\n\n".join(f"{heading}\n\n" + "\n".join(lines) for heading, lines in parts if lines)


def _row(line: dict[str, Any], found: dict[str, Any]) -> tuple[str, ...]:
    published, ours, verdict = line["published"], line["ours"], line["verdict"]
    sizes = {model["label"]: model["parameters"] for model in found["models"]}
    figure = "" if published is None else f"{published['value']:g} {line['unit']}"
    first = "ours alone" if published is None else published["of"]
    if ours is None:
        return first, figure, "", "", "", "", verdict["finding"]
    interval = "" if ours["interval"] is None else " to ".join(map(number, ours["interval"]))
    size = sizes.get(ours["label"])
    model = ours["label"] + (f", {size:,} parameters" if size else "")
    finding = "" if verdict is None else verdict["finding"]
    return first, figure, number(ours["mean"]), interval, str(len(ours["values"])), model, finding


def _overview() -> str:
    """A line for each reproduction."""
    rows = []
    for name in reproductions(None):
        told, path = read_reproduction(name, None), tables.RESULTS / f"reproduce-{name}.json"
        ours = _ours(path) if path.is_file() else _NOT_RUN
        rows.append((f"[{name}](#{name})", told.title, _values(told.published), ours))
    return markdown(("reproduction", "what", "published", "verdicts here"), rows)


def _values(published: tuple[Published, ...]) -> str:
    return f"{', '.join(f'{one.value:g}' for one in published)} {published[0].unit}" if published else "none"


def _ours(path: Path) -> str:
    """The verdicts of one that was run; what it reached, where nothing was published."""
    found = json.loads(path.read_text(encoding="utf-8"))
    verdicts = [line["verdict"]["finding"] for line in found["lines"] if line["verdict"] is not None]
    if not verdicts:
        return ", ".join(f"ours: {number(line['ours']['mean'])} {line['unit']}" for line in found["lines"])
    told = ", ".join(f"{verdicts.count(one)} {one}" for one in dict.fromkeys(verdicts))
    if set(verdicts) == {"not comparable"}:
        told += f" (ours: {', '.join(number(line['ours']['mean']) for line in found['lines'] if line['ours'])})"
    return told


if __name__ == "__main__":
    main()
