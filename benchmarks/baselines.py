"""The baselines on the test split of each task, and of other corpora: `python -m benchmarks baselines [PART ...]`.

As `seqlab compare` shows it (knowing train alone, as the models do); for running text also with the validation split
added to what is known.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import Any

from benchmarks.tables import markdown, parts, save
from seqlab.baselines.n_gram import best_n_gram, xz_bits
from seqlab.config.run import load_run_config
from seqlab.config.sources import group_files
from seqlab.core.baseline import baselines_of
from seqlab.core.task import Task
from seqlab.drawing.numbers import number
from seqlab.tasks.char_lm import CharLM

PARTS: dict[str, list[str]] = {
    **{task: [f"task={task}"] for task in group_files("task", None)},
    "forecast-filled": ["task=forecast", "task.missing=mean", "task.score_filled=true"],
    "forecast-taylor": ["task=forecast", "task.corpus=taylor_demand", "task.horizon=48"],
    # its rows as equal steps: the night in which clocks change lacks one
    "forecast-seattle": [
        "task=forecast", "task.corpus=seattle_temperature", "task.time_column=rows", "task.calendar=[]",
        "task.seasons=[24]",
    ],
}  # fmt: skip


def main() -> None:
    """Fit and score the baselines of the named parts, or of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", help="a file in place of the task's own corpus; kept as PART-own")
    options = parts(parser, PARTS)
    for name in options.parts:
        corpus = [f"task.corpus={options.corpus}"] if options.corpus else []
        task = load_run_config([*PARTS[name], *corpus]).task.build()
        save("baselines", f"{name}-own" if corpus else name, {"rows": list(rows(task))})


def rows(task: Task[Any]) -> Iterator[dict[str, Any]]:
    """Each baseline with its figures, by metric."""
    for baseline in baselines_of(task):
        figures = {name: metric.value for name, metric in baseline.metrics.items()}
        yield {"name": baseline.name, "about": baseline.about, "test": figures}
    if isinstance(task, CharLM):
        train, validation, test = (task.texts[split] for split in ("train", "validation", "test"))
        order, _ = best_n_gram(train, validation, test)
        n_gram = best_n_gram(train + validation, validation, test, order)[1]
        known = "with validation added to train"
        yield {"name": f"{order}-gram", "about": known, "test": _figures(n_gram)}
        yield {"name": "xz", "about": known, "test": _figures(xz_bits(train + validation, test))}


def _figures(bits: float) -> dict[str, float]:
    return {"bits_per_character": bits, "loss": bits * math.log(2), "perplexity": 2**bits}


def table(found: dict[str, Any]) -> str:
    """A row for each baseline, a column for each metric."""
    metrics = list(found["rows"][0]["test"])
    cells = (
        (f"{row['name']} ({row['about']})", *(number(row["test"][name]) for name in metrics)) for row in found["rows"]
    )
    return markdown(("baseline", *(name.replace("_", " ") for name in metrics)), cells)


if __name__ == "__main__":
    main()
