"""summary.json and summary.csv."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seqlab.comparison.conditions import conditions_json
from seqlab.comparison.lengths import by_length, chance_by_length
from seqlab.comparison.summary import Summary
from seqlab.core.files import finite, write_json


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary as plain values: the contents of summary.json and the output of --json."""
    rows = []
    for row in summary.rows:
        variant = row.variant
        rows.append(
            {
                "label": row.label,
                "model": variant.model,
                "overrides": list(variant.overrides),
                "runs": {str(run.seed): run.folder for run in row.runs},
                "failed": {str(seed): why for seed, why in row.failed.items()},
                "test": {str(seed): value for seed, value in row.test.items()},
                "mean": row.mean,
                "interval": row.interval,
                "figures": dict(row.figures),
                "parameters": variant.sizes and {**asdict(variant.sizes), "all": variant.sizes.params},
                "max_steps": variant.max_steps,
                "training_seconds": row.training_seconds,
                "tokens_per_second": row.tokens_per_second,
                "seconds_to_target": row.seconds_to_target,
                "peak_memory_bytes": row.peak_memory_bytes,
                "flops_per_token": variant.probe and variant.probe.flops_per_token,
                "state_bytes": variant.probe and variant.probe.state_bytes,
                "generated_per_second": variant.probe and variant.probe.generated_per_second,
                "pareto": row.pareto_optimal,
            }
        )
    plain: dict[str, Any] = finite(
        {
            "task": summary.plan.task,
            "command": summary.command,
            "data": {**summary.plan.data, "sha256": summary.plan.data_sha256},
            "seeds": list(summary.plan.seeds),
            "metric": {
                "name": summary.primary,
                "unit": summary.metric.unit,
                "higher_is_better": summary.metric.higher_is_better,
            },
            "rows": rows,
            "pairs": [
                {**asdict(pair), "significant": pair.significant, "verdict": text}
                for pair, text in zip(summary.pairs, summary.verdicts, strict=True)
            ],
            "over": ["training seeds", *(["test items"] if summary.items is not None else [])],
            "baselines": [
                {"name": b.name, "about": b.about, "test": {name: m.value for name, m in b.metrics.items()}}
                for b in summary.baselines
            ],
            "against_baseline": summary.against_baseline,
            "lengths": {"models": by_length(summary), "chance": chance_by_length(summary)},
            **conditions_json(summary),
            "target": summary.target,
            "time": None if summary.times is None else summary.times.as_json(),
            "budget": summary.plan.budget,
            "match": summary.plan.match,
            "tuned": summary.plan.tuned,
            "tune_ended": summary.plan.tune_ended,
            "notes": list(summary.plan.notes),
        }
    )
    return plain


def write_files(summary: Summary, folder: Path) -> None:
    """Write summary.json, and summary.csv with one line for each run."""
    write_json(folder / "summary.json", as_json(summary))
    runs = [run for row in summary.rows for run in row.runs]
    tests = list(dict.fromkeys(name for run in runs for name in run.result["test"]))
    facts = ("parameters", "steps", "tokens", "seconds", "tokens_per_second", "peak_memory_bytes", "best_step")
    with (folder / "summary.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "model", "seed", *(f"test_{name}" for name in tests), *facts, "folder"])
        for run in runs:
            values = [run.result["test"].get(name) for name in tests]
            writer.writerow(
                [run.label, run.result["model"], run.seed, *values, *(run.result[f] for f in facts), run.folder]
            )
