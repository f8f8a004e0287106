"""The figures of docs/results.md: `python -m benchmarks.results [PART ...]` runs each command and prints its table.

One process a run, one after the other, with the machine's load noted before each. Wall time is that of the whole
command, start-up and final evaluation included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

MODELS = ("rnn", "lstm", "gru", "transformer")
PARTS: dict[str, list[str]] = {
    "char_lm": [f"model={model}" for model in MODELS],
    "char_lm_long": [f"model={model} experiment=char_lm_long" for model in MODELS[1:]],
    "sentiment": [f"model={model} task=sentiment seed={seed}" for model in MODELS for seed in range(3)],
    "translation": [
        *(f"model={model} task=translation" for model in MODELS),
        "model=gru task=translation model.attention=none",
    ],
}
SHOWN = ("bits_per_character", "accuracy", "f1", "exact_match", "bleu", "chrf", "loss")


def measure(overrides: str, runs_dir: str) -> dict[str, Any]:
    """One run of the command as a user types it."""
    load, started = os.getloadavg()[0], time.perf_counter()
    command = [sys.executable, "-m", "seqlab", "train", *overrides.split(), f"runs_dir={runs_dir}", "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - started
    return {**json.loads(done.stdout), "wall": wall, "load": load}


def row(overrides: str, result: dict[str, Any]) -> str:
    """One line of the table."""
    figures = ", ".join(f"{name} {result['test'][name]:.4g}" for name in SHOWN if name in result["test"])
    low, high = result["test_interval"]
    return (
        f"| `seqlab train {overrides}` | {result['parameters']:,} | {result['steps']} | {result['seconds']:.0f} "
        f"| {result['wall']:.0f} | {result['tokens_per_second'] / 1000:.1f}k | {figures} | {low:.4g} to {high:.4g} "
        f"| {result['load']:.1f} |"
    )


def main() -> None:
    """Print a table for each part that was asked for, or for all."""
    for part in sys.argv[1:] or PARTS:
        print(f"\n### {part}\n")
        print("| command | parameters | steps | training s | wall s | tokens/s | test | 95 % of the first | load |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        with tempfile.TemporaryDirectory() as runs_dir:
            for overrides in PARTS[part]:
                print(row(overrides, measure(overrides, runs_dir)), flush=True)


if __name__ == "__main__":
    main()
