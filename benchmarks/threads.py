"""One thread against two, on a quiet machine and beside others' work, and what device.threads=auto takes there."""

from __future__ import annotations

import multiprocessing
from functools import partial

import torch

from benchmarks.harness import Facts, Pace, Report, interleave, parser
from benchmarks.ours import make_trainer, run


def train(pace: Pace, facts: Facts, overrides: tuple[str, ...], threads: str) -> None:
    """A contender with so many threads, or with those that auto takes."""
    torch.set_num_threads(max(2, torch.get_num_threads()))
    trainer = make_trainer((*overrides, f"device.threads={threads}"))
    facts["threads"] = torch.get_num_threads()
    run(trainer, pace, facts)


def _spin() -> None:
    while True:
        pass


def main() -> None:
    """Print one row for each family and each number of neighbours."""
    options = parser(__doc__).parse_args()
    report = Report(
        "threads", ("model", "busy neighbours", "1 thread ms", "2 threads ms", "auto ms", "auto took"), options
    )
    for neighbours in (0, 1, 2):
        others = [multiprocessing.get_context("spawn").Process(target=_spin, daemon=True) for _ in range(neighbours)]
        for other in others:
            other.start()
        try:
            for model in ("lstm", "transformer"):
                if options.only in model:
                    found = interleave(
                        {which: partial(train, overrides=(f"model={model}", "device.type=cpu"), threads=which)
                         for which in ("1", "2", "auto")},
                        rounds=options.rounds, seconds=options.seconds, threads=2,
                    )  # fmt: skip
                    times = [found[which].wall for which in ("1", "2", "auto")]
                    report.add(model, neighbours, *times, found["auto"].facts["threads"])
        finally:
            for other in others:
                other.kill()
    report.finish()


if __name__ == "__main__":
    main()
