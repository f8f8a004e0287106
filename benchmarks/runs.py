"""Single runs as a user types them that no comparison of docs/results.md has: one process a run, one after the other.

Wall time is that of the whole command, start-up and final evaluation included; "load" is the one-minute average before
it, our own last run included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.tables import markdown, parts, save
from seqlab.config.sources import group_files

MODELS = tuple(group_files("model", None))
PARTS: dict[str, list[str]] = {
    "long": [f"model={model} experiment=char_lm_long" for model in MODELS],
    "bottleneck": [f"model=gru task=translation model.attention={kind}" for kind in ("dot", "none")],
}
SHOWN = ("bits_per_character", "accuracy", "f1", "exact_match", "bleu", "chrf", "loss")


def main() -> None:
    """Run the requested parts, or all, and store the results in benchmarks/results."""
    for part in parts(argparse.ArgumentParser(description=__doc__), PARTS).parts:
        with tempfile.TemporaryDirectory() as runs_dir:
            save("runs", part, {"runs": [measure(overrides, runs_dir) for overrides in PARTS[part]]})


def measure(overrides: str, runs_dir: str) -> dict[str, Any]:
    """One run of the command as a user types it."""
    load, started = os.getloadavg()[0], time.perf_counter()
    command = [sys.executable, "-m", "seqlab", "train", *overrides.split(), f"runs_dir={runs_dir}", "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - started
    result = json.loads(done.stdout)
    kept = ("parameters", "steps", "seconds", "tokens_per_second", "validation", "test", "test_interval", "precision")
    return {"overrides": overrides, "wall": wall, "load": load, **{key: result[key] for key in kept}}


def table(found: dict[str, Any]) -> str:
    """One line a run."""
    headings = (
        "command", "parameters", "steps", "training s", "wall s", "tokens/s", "test", "95 % of the first", "load",
    )  # fmt: skip
    rows = (
        (
            f"`seqlab train {run['overrides']}`",
            f"{run['parameters']:,}",
            run["steps"],
            f"{run['seconds']:.0f}",
            f"{run['wall']:.0f}",
            f"{run['tokens_per_second'] / 1000:.1f}k",
            ", ".join(f"{name} {run['test'][name]:.4g}" for name in SHOWN if name in run["test"]),
            " to ".join(f"{end:.4g}" for end in run["test_interval"]),
            f"{run['load']:.1f}",
        )
        for run in found["runs"]
    )
    return markdown(headings, rows)


if __name__ == "__main__":
    main()
