"""The comparisons of docs/results.md: `python -m benchmarks.compare [TASK ...]` makes them in the current folder's
runs/ and prints their tables; what is complete is not made again, and is then not timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

from benchmarks.results import MODELS
from seqlab.display import compact, number


def row(found: dict[str, Any]) -> str:
    """One line of the table."""
    low, high = found["interval"]
    state, speed = found["state_bytes"], found["generated_per_second"]
    return (
        f"| {found['label']}{' *' if found['pareto'] else ''} | {number(found['mean'])} "
        f"| {number(low)} to {number(high)} | {found['parameters']['body']:,} / {found['parameters']['all']:,} "
        f"| {found['training_seconds']:.0f} | {found['seconds_to_target']:.0f} | {compact(found['tokens_per_second'])} "
        f"| {compact(found['flops_per_token'])} "
        f"| {found['peak_memory_bytes'] / 2**20:.0f} | {'' if state is None else f'{state:,}'} "
        f"| {'' if speed is None else compact(speed)} |"
    )


def main() -> None:
    """Print a table and the verdicts for each task."""
    for task in sys.argv[1:] or ("char_lm", "sentiment", "translation"):
        load, started = os.getloadavg()[0], time.perf_counter()
        words = ["compare", *MODELS, f"task={task}", "--seeds", "3"]
        command = [sys.executable, "-m", "seqlab", *words, "--json", "--quiet"]
        found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        wall = time.perf_counter() - started
        name = found["metric"]["unit"] or found["metric"]["name"]
        print(f"\n### `seqlab {' '.join(words)}`: {wall / 60:.1f} minutes, load before {load:.1f}\n")
        print(
            f"| model | test {name} | 95 % over seeds | body / all parameters | training s | s to target | tokens/s "
            "| FLOPs a token | MiB | state, bytes | writes, tokens/s |"
        )
        print("| --- " * 11 + "|")
        for model in found["rows"]:
            print(row(model))
        for base in found["baselines"]:
            value = base["test"][found["metric"]["name"]]
            print(f"| {base['name']} ({base['about']}) | {number(value)} |" + " |" * 9)
        print(f"\nShared target: validation {name} {number(found['target'])}. Verdicts:\n")
        for pair in found["pairs"]:
            print(f"- {pair['verdict']}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
