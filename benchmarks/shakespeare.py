"""nanoGPT's recipe for a CPU on tiny shakespeare, for each position code: `--corpus input.txt` names the text.

The figure to compare with is nanoGPT's own: its README gives a validation loss of 1.88 nats after 2,000 steps
(github.com/karpathy/nanoGPT, "I only have a macbook"). Ours is over the whole validation split, in order.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from typing import Any

from benchmarks.runs import measure
from benchmarks.tables import RESULTS, markdown, parts, save

_POSITIONS = ("rope", "learned", "sinusoidal", "none")


def main() -> None:
    """One run for each position code that is asked for, or for all; what is known of the others stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="the path of tiny shakespeare, 1,115,394 characters")
    given = parts(parser, _POSITIONS)
    kept = RESULTS / "shakespeare-gpt_cpu.json"
    runs = json.loads(kept.read_text(encoding="utf-8"))["runs"] if kept.is_file() else []
    found = {run["overrides"]: run for run in runs}
    with tempfile.TemporaryDirectory() as runs_dir:
        for kind in given.parts:
            words = f"experiment=shakespeare_gpt_cpu model.positions={kind}"
            run = measure(f"{words} task.corpus={given.corpus}", runs_dir)
            found[words] = {**run, "overrides": words}
    save("shakespeare", "gpt_cpu", {"runs": list(found.values())})


def table(found: dict[str, Any]) -> str:
    """One line a position code."""
    rows = (
        (
            f"`seqlab train {run['overrides']} task.corpus=input.txt`",
            f"{run['parameters']:,}",
            run["steps"],
            f"{run['validation']['loss']:.4f}",
            f"{run['seconds']:.0f}",
            f"{run['load']:.1f}",
        )
        for run in found["runs"]
    )
    return markdown(("command", "parameters", "steps", "validation, nats", "training s", "load"), rows)


if __name__ == "__main__":
    main()
