"""nanoGPT's recipe for a CPU on tiny shakespeare, for each position code: `--corpus input.txt` names the text.

The figure to lay beside it is nanoGPT's own: its README gives a validation loss of 1.88 nats after 2,000 steps
(github.com/karpathy/nanoGPT, "I only have a macbook"). Ours is over the whole validation split, in order.
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

from benchmarks.runs import measure
from benchmarks.tables import save

_POSITIONS = ("rope", "learned", "sinusoidal", "none")


def main() -> None:
    """One run for each position code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="the path of tiny shakespeare, 1,115,394 characters")
    corpus = parser.parse_args().corpus
    found = []
    with tempfile.TemporaryDirectory() as runs_dir:
        for kind in _POSITIONS:
            words = f"experiment=shakespeare_gpt_cpu model.positions={kind}"
            run = measure(f"{words} task.corpus={corpus}", runs_dir)
            found.append({**run, "overrides": words})
    save("shakespeare", "gpt_cpu", {"runs": found})


def table(found: dict[str, Any]) -> str:
    """One line a position code."""
    lines = ["| command | parameters | steps | validation, nats | training s | load |", "| --- " * 6 + "|"]
    for run in found["runs"]:
        lines.append(
            f"| `seqlab train {run['overrides']} task.corpus=input.txt` | {run['parameters']:,} | {run['steps']} "
            f"| {run['validation']['loss']:.4f} | {run['seconds']:.0f} | {run['load']:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
