"""The comparisons of docs/results.md: made in the current folder's runs/, where what is complete is not made again."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from typing import Any

from benchmarks.runs import MODELS
from benchmarks.tables import save
from seqlab.config.sources import group_files
from seqlab.display import compact, number

_POSITIONS = ("rope", "sinusoidal", "learned", "none")
_TASKS = tuple(group_files("task", None))
PARTS: dict[str, list[str]] = {
    **{task: [*MODELS, f"task={task}", "--seeds", "5"] for task in _TASKS},
    **{
        f"positions-{task}": [
            *(f"{kind}: transformer model.positions={kind}" for kind in _POSITIONS), f"task={task}", "--seeds", "3",
        ]
        for task in _TASKS
    },
    "budget": ["lstm", "transformer", "--budget", "60s", "--seeds", "1"],
    "windows": ["random: transformer", "streams: transformer task.windows=streams", "--seeds", "3"],
}  # fmt: skip


def main() -> None:
    """Make each comparison that is asked for, or all, and keep its summary in benchmarks/results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), choices=[[], *PARTS])
    for part in parser.parse_args().parts:
        load, started = os.getloadavg()[0], time.perf_counter()
        command = [sys.executable, "-m", "seqlab", "compare", *PARTS[part], "--json", "--quiet"]
        summary = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        minutes = (time.perf_counter() - started) / 60
        shown = f"seqlab compare {shlex.join(PARTS[part])}"
        save("compare", part, {"shown": shown, "minutes": minutes, "load": load, "summary": summary})


def table(found: dict[str, Any]) -> str:
    """The models, the baselines, the verdicts, and the settings that differ."""
    summary = found["summary"]
    name = summary["metric"]["unit"] or summary["metric"]["name"]
    lines = [
        f"`{found['shown']}`: {found['minutes']:.1f} minutes (load before: {found['load']:.1f})",
        "",
        f"| model | test {name} | 95 % | body / all parameters | training s | s to target | tokens/s | FLOPs a token "
        "| MiB | state, bytes | writes, tokens/s |",
        "| --- " * 11 + "|",
        *map(_row, summary["rows"]),
    ]
    for base in summary["baselines"]:
        value = base["test"][summary["metric"]["name"]]
        lines.append(f"| {base['name']} ({base['about']}) | {number(value)} |" + " |" * 9)
    lines += ["", f"Shared target: validation {name} {number(summary['target'])}. Verdicts:", ""]
    lines += [f"- {pair['verdict']}" for pair in summary["pairs"]]
    labels = [row["label"] for row in summary["rows"]]
    lines += ["", f"| setting | {' | '.join(labels)} |", "| --- " * (1 + len(labels)) + "|"]
    lines += [
        f"| {key} | {' | '.join(_plain(values.get(label, '')) for label in labels)} |"
        for key, values in summary["settings"].items()
    ]
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _row(row: dict[str, Any]) -> str:
    state, speed = row["state_bytes"], row["generated_per_second"]
    interval = "" if row["interval"] is None else " to ".join(map(number, row["interval"]))
    return (
        f"| {row['label']}{' *' if row['pareto'] else ''} | {number(row['mean'])} "
        f"| {interval} | {row['parameters']['body']:,} / {row['parameters']['all']:,} "
        f"| {row['training_seconds']:.0f} | {row['seconds_to_target']:.0f} | {compact(row['tokens_per_second'])} "
        f"| {compact(row['flops_per_token'])} "
        f"| {row['peak_memory_bytes'] / 2**20:.0f} | {'' if state is None else f'{state:,}'} "
        f"| {'' if speed is None else compact(speed)} |"
    )


if __name__ == "__main__":
    main()
