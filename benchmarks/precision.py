"""The effect of lower precision on learning: final validation loss over seeds, against fp32.

Trains by `seqlab train`, each seed in both precisions. The target is a difference of at most 0.002 nats in the mean.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks.harness import Report, parser
from benchmarks.runs import MODELS


def train(*overrides: str) -> dict[str, Any]:
    """The result of one run."""
    with tempfile.TemporaryDirectory() as runs_dir:
        command = [sys.executable, "-m", "seqlab", "train", *overrides, f"runs_dir={runs_dir}", "--json", "--quiet"]
        result: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return result


def main() -> None:
    """Print one row for each family."""
    made = parser(__doc__)
    made.add_argument("--precision", default="auto")
    made.add_argument("--seeds", type=int, default=3)
    made.add_argument("overrides", nargs="*", help="for all runs, e.g. trainer.max_steps=300")
    options = made.parse_args()
    report = Report("precision", ("model", "precision", "fp32 loss", "loss", "difference", "each seed"), options)
    for model in MODELS:
        if options.only not in model:
            continue
        losses: dict[str, list[float]] = {"fp32": [], options.precision: []}
        chosen = ""
        for seed in range(options.seeds):
            for precision, found in losses.items():
                result = train(f"model={model}", f"seed={seed}", f"device.precision={precision}",
                               f"device.threads={options.threads}", *options.overrides)  # fmt: skip
                found.append(result["validation"]["loss"])
                chosen = result["precision"]
        each = [b - a for a, b in zip(losses["fp32"], losses[options.precision], strict=True)]
        means = [statistics.fmean(found) for found in losses.values()]
        shown = " ".join(f"{difference:+.4f}" for difference in each)
        report.add(model, chosen, f"{means[0]:.4f}", f"{means[1]:.4f}", f"{means[1] - means[0]:+.4f}", shown)
    report.finish()


if __name__ == "__main__":
    main()
