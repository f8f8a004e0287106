"""What keeping freed memory (glibc) saves: a step of each family with its defaults, with and without."""

from __future__ import annotations

from functools import partial

from benchmarks.harness import Facts, Pace, Report, interleave, parser, speed_ratio
from benchmarks.ours import seqlab as train
from benchmarks.runs import MODELS
from seqlab.training import device


def without(pace: Pace, facts: Facts, overrides: tuple[str, ...]) -> None:
    """A contender: seqlab with glibc's defaults."""
    vars(device)["keep_memory"] = lambda: None
    train(pace, facts, overrides)


def main() -> None:
    """Print one row for each family and task."""
    options = parser(__doc__).parse_args()
    columns = ("task", "model", "kept ms", "glibc default ms", "ratio", "kept peak MB", "glibc default peak MB")
    report = Report("allocator", columns, options)
    for task in ("char_lm", "translation"):
        for model in MODELS:
            if options.only not in f"{task} {model}":
                continue
            overrides = (f"model={model}", f"task={task}", "device=cpu")
            found = interleave(
                {"kept": partial(train, overrides=overrides), "plain": partial(without, overrides=overrides)},
                rounds=options.rounds, seconds=options.seconds, threads=options.threads,
            )  # fmt: skip
            kept, plain = found["kept"], found["plain"]
            report.add(
                task, model, kept.wall, plain.wall, speed_ratio(kept, plain), round(kept.peak_bytes / 1e6),
                round(plain.peak_bytes / 1e6),
            )  # fmt: skip
    report.finish()


if __name__ == "__main__":
    main()
