"""A whole validation of each family on each task: the precision that `auto` chooses (or another) against fp32."""

from __future__ import annotations

from functools import partial

from benchmarks.harness import Facts, Pace, Report, interleave, parser, speed_ratio
from benchmarks.ours import make_trainer
from benchmarks.runs import MODELS
from seqlab.config.sources import group_files


def evaluate(pace: Pace, facts: Facts, overrides: tuple[str, ...]) -> None:
    """A contender whose step is one evaluation of the validation split."""
    trainer = make_trainer(overrides)
    trainer.network.eval()
    facts["precision"] = trainer.device.precision
    facts["loss"] = trainer.evaluate("validation").compute()["loss"].value
    while True:
        trainer.evaluate("validation")
        pace()


def main() -> None:
    """Print one row for each family and task."""
    made = parser(__doc__)
    made.add_argument("--precision", default="auto")
    options = made.parse_args()
    columns = ("task", "model", "precision", "fp32 s", "seconds", "ratio", "difference in loss")
    report = Report("evaluation", columns, options)
    for task in group_files("task", None):
        for model in MODELS:
            if options.only not in f"{task} {model}":
                continue
            shared = (f"task={task}", f"model={model}")
            found = interleave(
                {
                    "fp32": partial(evaluate, overrides=(*shared, "device.precision=fp32")),
                    "other": partial(evaluate, overrides=(*shared, f"device.precision={options.precision}")),
                },
                rounds=options.rounds, seconds=options.seconds, threads=options.threads,
            )  # fmt: skip
            exact, other = found["fp32"], found["other"]
            report.add(
                task, model, other.facts["precision"], exact.wall / 1000, other.wall / 1000, speed_ratio(other, exact),
                f"{other.facts['loss'] - exact.facts['loss']:+.1e}",
            )  # fmt: skip
    report.finish()


if __name__ == "__main__":
    main()
