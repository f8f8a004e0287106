"""The naive baselines of a comparison, computed once and stored in baselines.json."""

from __future__ import annotations

import json
from pathlib import Path

from seqlab.comparison.reporter import ComparisonReporter
from seqlab.config.run import RunConfig
from seqlab.core.baseline import Baseline, baselines_of
from seqlab.core.files import write_json
from seqlab.core.metric import Metric
from seqlab.errors import SeqlabError


def stored_baselines(folder: Path) -> list[Baseline] | None:
    """The baselines in baselines.json; None if there are none yet."""
    try:
        stored = json.loads((folder / "baselines.json").read_text(encoding="utf-8"))
        return [
            Baseline(b["name"], b["about"], {name: Metric(**m) for name, m in b["metrics"].items()}, b.get("items", ()))
            for b in stored
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def compute_baselines(config: RunConfig, folder: Path, reporter: ComparisonReporter) -> list[Baseline]:
    """The naive baselines of the config's task, computed and written to baselines.json; none where that fails."""
    try:
        task = config.task.build()
        found = list(baselines_of(task))
    except Exception as error:  # a missing corpus, or one too large for a baseline: the report can do without
        reporter.say(f"no baselines: {error.what if isinstance(error, SeqlabError) else error}")
        return []
    plain = [
        {
            "name": b.name,
            "about": b.about,
            "metrics": {name: vars(metric) for name, metric in b.metrics.items()},
            "items": list(b.items),
        }
        for b in found
    ]
    write_json(folder / "baselines.json", plain)
    return found
