"""Is there a quicker recipe than the configured one? An LSTM with less text or fewer steps, by task.

`python -m benchmarks sooner [char_lm] [sentiment] [translation]` makes comparisons in the current folder's runs/, with
one thread and three seeds; complete runs are not repeated.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.compare import comparison
from benchmarks.tables import markdown, parts, save
from seqlab.drawing.numbers import number

_CONFIGURED = "as configured"
_RECIPES: dict[str, list[str]] = {
    "char_lm": [
        "64 rows of 32: lstm task.batch_size=64 task.window=32",
        "32 rows of 32: lstm task.window=32 trainer.max_steps=900",
        "16 rows of 64: lstm task.batch_size=16 trainer.max_steps=900",
    ],
    "sentiment": [
        "half the steps: lstm trainer.max_steps=400",
        "half the texts a step: lstm task.batch_size=16",
        "both, half the rate: lstm trainer.max_steps=400 task.batch_size=16 optim.learning_rate=0.002",
        "half the steps, Muon: lstm trainer.max_steps=400 optim=muon optim.learning_rate=0.008",
    ],
    "translation": [
        "half the steps: lstm trainer.max_steps=800",
        "half the pairs a step: lstm task.batch_size=32",
        "a quarter of the pairs: lstm task.batch_size=16",
        "half the steps, Muon: lstm trainer.max_steps=800 optim=muon optim.learning_rate=0.008",
    ],
}


def main() -> None:
    """Make the comparisons that are named, or all, and store them."""
    for task in parts(argparse.ArgumentParser(description=__doc__), _RECIPES).parts:
        # char_lm is the task by default
        words = [f"{_CONFIGURED}: lstm", *_RECIPES[task], *([] if task == "char_lm" else [f"task={task}"])]
        save("sooner", task, comparison([*words, "device.threads=1", "device.precision=fp32", "--seeds", "3"]))


def table(found: dict[str, Any]) -> str:
    """Each recipe: what it changes, how good it is, and its share of the configured one's time."""
    summary = found["summary"]
    rows = {row["label"]: row for row in summary["rows"]}
    configured = rows.pop(_CONFIGURED)
    metric = summary["metric"]
    lines = [(_CONFIGURED, "", number(configured["mean"]), "", "", f"{configured['training_seconds']:.0f}", "1.00")]
    for label, row in rows.items():
        changes = (
            f"{key.rpartition('.')[2]}={values[label]:g}"
            for key, values in summary["settings"].items()
            if {label, _CONFIGURED} <= values.keys() and values[label] != values[_CONFIGURED]  # both have it
        )
        (pair,) = (pair for pair in summary["pairs"] if {pair["first"], pair["second"]} == {label, _CONFIGURED})
        # pairs give how far the first is ahead
        ahead = pair["mean"] if pair["first"] == label else -pair["mean"]
        seconds = row["training_seconds"]
        lines.append(
            (
                label, ", ".join(changes), number(row["mean"]), f"{ahead:+.3f}", f"{pair['p_corrected']:.2g}",
                f"{seconds:.0f}", f"{seconds / configured['training_seconds']:.2f}",
            )
        )  # fmt: skip
    name = metric["unit"] or metric["name"].replace("_", " ")
    headings = ("recipe", "changes", f"test {name}", "ahead", "p, corrected", "training s", "of the configured")
    return f"`{found['shown']}`\n\n{markdown(headings, lines)}"


if __name__ == "__main__":
    main()
