"""Is this checkout as fast as another? `python -m benchmarks before OTHER` with the path of an earlier checkout.

Training steps of every family on every task that both have, small and as configured, and text that each family writes:
the same contender from both checkouts, each in a process that imports only its own. ratio: the other's time by ours,
the median over rounds, so that above 1 this checkout is faster; least and most are those of single rounds (in the last
row, of the rows). of cpu: the same ratio of CPU time, which other work on the machine disturbs less.
"""

from __future__ import annotations

import importlib
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness import Contender, Report, interleave, parser, ratios
from benchmarks.same_bits import SMALL, in_both
from benchmarks.tables import TOP
from seqlab.config.compose import settings

WRITTEN = 200  # characters


def contenders(other: Path) -> dict[str, Contender]:
    """Of each row the contender, which this checkout and the other can run."""
    models = in_both("model", other)
    sys.path.append(str(Path(__file__).parent))  # processes are given this path, after their checkout's own
    elsewhere: Any = importlib.import_module("elsewhere")
    found: dict[str, Contender] = {}
    for task in in_both("task", other):
        for model in models:
            words = [f"model={model}", f"task={task}", "device.precision=fp32"]
            small = [f"{key}={value}" for key, value in SMALL.items() if key in settings(words)]
            found[f"{model} {task}, small"] = partial(elsewhere.training, overrides=tuple(words + small))
            found[f"{model} {task}, as configured"] = partial(elsewhere.training, overrides=tuple(words))
    for model in models:
        found[f"{model}, generation"] = partial(elsewhere.generating, overrides=(f"model={model}",), length=WRITTEN)
    return found


def main() -> None:
    """Print one row for each pair of contenders."""
    made = parser(__doc__)
    made.add_argument("other", type=Path, help="the other checkout, with the same packages")
    options = made.parse_args()
    checkouts = {"now": TOP, "before": options.other.resolve()}
    columns = ("row", "before ms", "now ms", "before cpu ms", "now cpu ms", "of cpu", "ratio", "least", "most")
    report = Report("before", columns, options)
    medians, of_cpu = list[float](), list[float]()
    for name, contender in contenders(checkouts["before"]).items():
        if options.only in name:
            found = interleave(
                dict.fromkeys(checkouts, contender),
                rounds=options.rounds, seconds=options.seconds, threads=options.threads, checkouts=checkouts,
            )  # fmt: skip
            for side, checkout in checkouts.items():
                assert found[side].facts["checkout"] == str(checkout), found[side].facts
            now, before = found["now"], found["before"]
            each = ratios(now, before)
            medians.append(statistics.median(each))
            of_cpu.append(before.cpu / now.cpu)
            times = before.wall, now.wall, before.cpu, now.cpu
            report.add(name, *times, of_cpu[-1], medians[-1], min(each), max(each))
    mean = statistics.geometric_mean
    report.add("geometric mean", *[""] * 4, mean(of_cpu), mean(medians), min(medians), max(medians))
    report.finish()


if __name__ == "__main__":
    main()
