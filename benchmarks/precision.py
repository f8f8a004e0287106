"""bf16 on a CPU against fp32: the time of a step, and what a model learns.

`python -m benchmarks precision` makes a comparison for each row in the current folder's runs/, each run with one
thread; complete runs are not repeated. Then steps of both are timed in turns, with --threads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.compare import comparison
from benchmarks.harness import interleave, machine, parser
from benchmarks.ours import seqlab
from benchmarks.tables import markdown, save
from seqlab.drawing.numbers import number

_LONG = ("trainer.max_steps=1500", "--seeds", "2")
_SEEDS = ("--seeds", "3")
ROWS: dict[tuple[str, str], tuple[str, ...]] = {
    ("lstm", "char_lm"): _SEEDS,
    ("transformer", "char_lm"): _SEEDS,
    ("mingru", "char_lm"): _SEEDS,
    ("lstm", "sentiment"): _SEEDS,
    ("transformer", "sentiment"): _SEEDS,
    ("lstm", "translation"): _SEEDS,
    ("transformer", "translation"): _SEEDS,
    ("lstm", "adding"): _LONG,
}
"""Model and task, and the rest of the comparison."""


def main() -> None:
    """Compare and time all rows, or those with --only in their name."""
    options = parser(__doc__).parse_args()
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # of the comparisons' processes too
    load, rows = os.getloadavg()[0], []
    for (model, task), more in ROWS.items():
        if options.only in f"{model} {task}":
            both = [f"{precision}: {model} device.precision={precision}" for precision in ("bf16", "fp32")]
            summary = comparison([*both, f"task={task}", "device.threads=1", *more])["summary"]
            fixed = (f"model={model}", f"task={task}", "device=cpu")
            contenders = {
                precision: partial(seqlab, overrides=(*fixed, f"device.precision={precision}"))
                for precision in ("fp32", "bf16")
            }
            timed = interleave(contenders, rounds=options.rounds, seconds=options.seconds, threads=options.threads)
            milliseconds = {precision: contender.wall for precision, contender in timed.items()}
            rows.append({"model": model, "task": task, "summary": summary, "milliseconds": milliseconds})
            print(_line(rows[-1]), flush=True)
    found = {"machine": machine(options.threads), "load": [load, os.getloadavg()[0]], "rows": rows}
    print(table(found))
    if not options.only:
        save("precision", "bf16", found)


def _line(row: Mapping[str, Any]) -> tuple[object, ...]:
    summary, milliseconds, metric = row["summary"], row["milliseconds"], row["summary"]["metric"]
    means = {one["label"]: number(one["mean"]) for one in summary["rows"]}
    (pair,) = summary["pairs"]
    sign = 1 if pair["first"] == "bf16" else -1  # an interval is of how far the first is ahead
    ends = [] if pair["interval"] is None else sorted(sign * end for end in pair["interval"])
    return (
        row["model"], row["task"], f"{milliseconds['fp32']:.1f}", f"{milliseconds['bf16']:.1f}",
        f"{milliseconds['fp32'] / milliseconds['bf16']:.2f}", metric["unit"] or metric["name"].replace("_", " "),
        means["fp32"], means["bf16"], " to ".join(f"{end:+.2g}" for end in ends), pair["seeds"][0],
    )  # fmt: skip


def table(found: Mapping[str, Any]) -> str:
    """Steps, and the test metric over seeds."""
    headings = (
        "model", "task", "fp32 ms", "bf16 ms", "fp32 / bf16", "test metric", "fp32", "bf16", "bf16 better by, 95 %",
        "seeds",
    )  # fmt: skip
    before, after = found["load"]
    where = f"{found['machine']['cpu']}, {found['machine']['threads']} threads; load {before:.1f} to {after:.1f}."
    return f"{markdown(headings, map(_line, found['rows']))}\n\n{where}"


if __name__ == "__main__":
    main()
