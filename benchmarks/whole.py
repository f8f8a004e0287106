"""The default run as a whole command, `seqlab train`, against an earlier checkout of seqlab.

`python -m benchmarks whole OTHER`. From the start of the process to its end, in a folder of its own, in turns; with the
metrics of the test split, since a command that is quicker must not be worse.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import Report, parser
from benchmarks.tables import TOP


def main() -> None:
    """Print one row for each checkout."""
    made = parser(__doc__)
    made.add_argument("other", type=Path, help="the folder of another checkout")
    options = made.parse_args()
    checkouts = {"earlier": options.other.resolve(), "today": TOP}
    report = Report("whole", ("checkout", "median s", "least s", "/ earlier", "training s", "test bits/char"), options)
    taken: dict[str, list[float]] = {name: [] for name in checkouts}
    results = {}
    for turn in range(options.rounds):
        for name in list(checkouts)[:: 1 if turn % 2 else -1]:
            seconds, results[name] = _train(checkouts[name], options.threads)
            taken[name].append(seconds)
    for name, times in taken.items():
        ratio = statistics.median(a / b for a, b in zip(times, taken["earlier"], strict=True))
        found = results[name]
        bits = found["test"]["bits_per_character"]
        report.add(name, statistics.median(times), min(times), ratio, found["seconds"], bits)
    report.finish()


def _train(checkout: Path, threads: int) -> tuple[float, dict[str, Any]]:
    """(seconds of the whole command, its result)."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "seqlab", "train", "--quiet", "device=cpu", f"device.threads={threads}"],
            cwd=folder, env={**os.environ, "PYTHONPATH": str(checkout)}, check=True,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        (result,) = Path(folder).rglob("result.json")
        return seconds, json.loads(result.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
