"""Seconds until `seqlab compare ... --submit` returns; the same command then waits for the runs that it left behind.

`python -m benchmarks submit [local] [slurm] [ray]`: each three times, with nothing planned before. Slurm is submitit's
executor for one machine, Ray three node processes on loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.executors import PARTS, WORDS, comparison, engine
from benchmarks.executors_check import Checked
from benchmarks.tables import RESULTS, markdown, parts, save

_ENGINES = [part for part in PARTS if part != "alone"]
_REPEATS = 3


def main() -> None:
    """Measure the executors that are named, or all; each is stored as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    given = parts(parser, _ENGINES)
    for part in given.parts:
        found = _measured(part, given.steps)
        print(json.dumps(found), flush=True)
        save("submit", part, found)


def _measured(part: str, steps: int) -> dict[str, Any]:
    """One executor."""
    root = Path(tempfile.mkdtemp(prefix="submit-"))
    words = [*WORDS, "device.threads=1", f"trainer.max_steps={steps}", "--seeds", "2"]
    load, seconds = os.getloadavg()[0], list[float]()
    with engine(part) as (options, _):
        for repeat in range(_REPEATS):
            name = f"{part}-{repeat}"
            started = time.monotonic()
            code = comparison(words, name, root, [*options, "--submit"]).wait()
            seconds.append(round(time.monotonic() - started, 2))
            folder = root / "runs" / "compare" / name
            early = len([*folder.glob("*/*/result.json")])
            code = code or comparison(words, name, root, options).wait()
            made = Checked(folder, steps)
            if code or made.complete < made.runs or made.lost or made.twice:
                raise SystemExit(f"exit code {code}, {made.complete} of {made.runs} runs: {root / name}.log")
            if early == made.runs:
                raise SystemExit("all runs were complete when the command returned: --steps is too low")
    shutil.rmtree(root)
    return {"runs": made.runs, "seconds": seconds, "load": [round(load, 1), round(os.getloadavg()[0], 1)]}


def table(_: dict[str, Any]) -> str:
    """All executors that were measured."""
    rows = list[tuple[object, ...]]()
    for part in _ENGINES:
        path = RESULTS / f"submit-{part}.json"
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            rows.append(
                (PARTS[part], found["runs"], f"{median(found['seconds']):.1f} s", f"{max(found['seconds']):.1f} s",
                 f"{found['load'][0]} to {found['load'][1]}")
            )  # fmt: skip
    return markdown(("executor", "runs", "`--submit` returns after (median of 3)", "at most", "load"), rows)


if __name__ == "__main__":
    main()
