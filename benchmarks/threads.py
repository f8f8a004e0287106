"""How threads wait for each other, and how many there are, on a quiet machine and beside others' work.

Each row trains one network beside so many busy neighbours, under several settings in turns; ms a step. `spin N` is
GOMP_SPINCOUNT=N and `passive` OMP_WAIT_POLICY=passive, with two threads; `1 thread` waits for nobody.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from benchmarks.harness import Facts, Pace, Report, interleave, parser
from benchmarks.harness import table as rows_of
from benchmarks.ours import lm_overrides, make_trainer, run
from benchmarks.tables import markdown
from seqlab.__main__ import SPIN

_ONE = "1 thread"
SETTINGS: dict[str, Mapping[str, str]] = {
    "default": {},
    **{f"spin {count}": {"GOMP_SPINCOUNT": str(count)} for count in sorted({10_000, SPIN, 300}, reverse=True)},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    _ONE: {"OMP_WAIT_POLICY": "passive"},
}
_OURS = f"spin {SPIN}"
NETWORKS = {
    "LSTM 256 x 2, batch 32, window 64": lm_overrides("lstm", width=256, window=64, rows=32),
    "Transformer 128 x 3, batch 12, window 64": (
        *lm_overrides("transformer", width=128, window=64, rows=12), "model.layers=3",
    ),
    "LSTM 32 x 1, batch 4, window 16": (*lm_overrides("lstm", width=32, window=16, rows=4), "model.layers=1"),
}  # fmt: skip
NEIGHBOURS = (0, 1, 2, 4)


def train(pace: Pace, facts: Facts, overrides: tuple[str, ...], threads: int) -> None:
    """A contender with so many threads."""
    torch.set_num_threads(threads)
    run(make_trainer((*overrides, f"device.threads={threads}")), pace, facts)


def _spin() -> None:
    while True:
        pass


def main() -> None:
    """Print one row for each network and each number of neighbours."""
    options = parser(__doc__).parse_args()
    report = Report("threads", ("network", "busy neighbours", *SETTINGS), options, benchmark="threads")
    for name, overrides in NETWORKS.items():
        if options.only not in name:
            continue
        for neighbours in NEIGHBOURS:
            context = multiprocessing.get_context("spawn")
            others = [context.Process(target=_spin, daemon=True) for _ in range(neighbours)]
            for other in others:
                other.start()
            try:
                contenders = {
                    which: partial(train, overrides=overrides, threads=1 if which == _ONE else options.threads)
                    for which in SETTINGS
                }
                found = interleave(
                    contenders, rounds=options.rounds, seconds=options.seconds, threads=1, environments=SETTINGS
                )
            finally:
                for other in others:
                    other.kill()
            report.add(name, neighbours, *(found[which].wall for which in SETTINGS))
    report.finish()


def table(found: Mapping[str, Any]) -> str:
    """The rows, and what seqlab's setting costs on a quiet machine and leaves on a busy one, for docs/."""
    figures = []
    for row in found["rows"]:
        times = {which: row[which] for which in SETTINGS if which != _ONE}
        quiet = row["busy neighbours"] == 0
        against = times["default"] if quiet else min(times.values())
        figures.append((row["network"], row["busy neighbours"], f"{against / times[_OURS]:.3g}"))
    headings = ("network", "busy neighbours", f"{_OURS}: speed against the default (quiet) or the best setting (busy)")
    return f"{rows_of(found)}\n\n{markdown(headings, figures)}"


if __name__ == "__main__":
    main()
