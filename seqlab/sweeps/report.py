"""The files of a sweep's report."""

from __future__ import annotations

import csv
from pathlib import Path

from seqlab.comparison.board import write_layout
from seqlab.config.overrides import key_of
from seqlab.core.files import write_json
from seqlab.sweeps.figures import figures
from seqlab.sweeps.page import write_page
from seqlab.sweeps.summary import Summary, as_json


def write_report(summary: Summary, folder: Path) -> None:
    """Write summary.json, trials.csv, the pictures, report.html and TensorBoard's layout."""
    write_json(folder / "summary.json", as_json(summary))
    keys = [axis.key for axis in summary.request.axes.values()]
    with (folder / "trials.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", *keys, "outcome", f"validation_{summary.primary}", "step", "parameters", "seconds"])
        for trial in summary.trials:
            chosen = {key_of(word): word.partition("=")[2] for word in trial.overrides}
            facts = (trial.outcome, trial.value, trial.step, trial.parameters, trial.seconds)
            writer.writerow([trial.number, *(chosen[key] for key in keys), *facts])
    pictures = figures(summary)
    for picture in pictures:
        picture.save(folder)
    write_page(summary, pictures, folder)
    write_layout(folder, summary.primary)
