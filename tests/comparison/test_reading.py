"""The runs of a comparison as they are on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seqlab.comparison.reading import read_runs, run_notes
from tests.comparison.test_report import example_plan


def _store(folder: Path, heldout: str | None) -> None:
    """A run that recorded which items it was tested on, or one of an earlier version."""
    result = {"primary": "accuracy", "validation": {}, "test": {}, "metrics": {}, "seconds": 1.0, "device": "cpu"}
    files = {
        "result.json": result,
        "metrics.jsonl": {"step": 1},
        "test_items.json": {"metric": "accuracy", "values": [0.0, 1.0]},
        "environment.json": {"data_sha256": "a", **({} if heldout is None else {"heldout_sha256": heldout})},
    }
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("heldout", "same"), [(["x", "x", "x"], True), (["x", "y", "x"], False), ([None, "x", "x"], True)]
)
def test_runs_tested_on_different_items_are_compared_over_seeds_alone(
    heldout: list[str | None], same: bool, tmp_path: Path
) -> None:
    plan = example_plan()
    for variant in plan.variants:
        for seed, digest in zip(plan.seeds, heldout, strict=True):
            _store(variant.run_folder(tmp_path, seed), digest)
    runs = read_runs(plan, tmp_path, {variant.label: {} for variant in plan.variants})
    assert len(runs) == 6
    assert {run.items for run in runs} == {(0.0, 1.0) if same else None}
    assert any("not all runs were tested on the same items" in note for note in run_notes(runs)) is not same
