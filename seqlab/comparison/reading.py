"""The runs of a comparison as they are on disk, and whether they can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqlab.comparison.plan import Plan
from seqlab.data.corpus import MAY_DIFFER
from seqlab.errors import CheckpointError, DataError
from seqlab.runs.code import recorded_code
from seqlab.runs.environment import read_environment
from seqlab.runs.folder import read_items, read_result


@dataclass(frozen=True)
class ValidationPoint:
    """One validation: the steps, tokens and seconds of training before it, and the primary metric."""

    step: int
    tokens: int
    seconds: float
    value: float


@dataclass(frozen=True)
class CompletedRun:
    """A run that has its result. curve: its validations. items: the primary metric on test item by item; None where the
    run did not store it. sample: text that it generated or predicted."""

    label: str
    seed: int
    folder: str
    result: Mapping[str, Any]
    curve: tuple[ValidationPoint, ...]
    sample: str
    items: tuple[float, ...] | None = None


def read_run(label: str, seed: int, folder: Path) -> CompletedRun | None:
    """Read a run's files; None if it has no result. Raises CheckpointError where its log cannot be read."""
    result = read_result(folder)
    if result is None:
        return None
    try:
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} cannot be read: {error}") from error
    tag = f"val/{result['primary']}"
    curve = tuple(
        ValidationPoint(line["step"], line["tokens"], line["seconds"], line[tag])
        for line in lines
        if line.get(tag) is not None
    )
    samples = folder / "samples.txt"
    sample = samples.read_text(encoding="utf-8") if samples.is_file() else ""
    return CompletedRun(label, seed, str(folder), result, curve, sample, read_items(folder, result["primary"]))


def read_runs(plan: Plan, folder: Path, code: Mapping[str, Mapping[str, str]]) -> list[CompletedRun]:
    """Read every run of the plan that has a result. code: hashes of the user's own code by label, as it was when the
    models were checked. Raises DataError where runs were not trained on the same text, CheckpointError where runs of a
    model were not made with the same code."""
    runs: list[CompletedRun] = []
    for variant in plan.variants:
        for seed in plan.seeds:
            where = Path(variant.existing[seed]) if seed in variant.existing else None
            if where is None and not variant.existing:
                where = variant.run_folder(folder, seed)
            run = read_run(variant.label, seed, where) if where is not None else None
            if run is not None:
                runs.append(run)
    _check_same_data(runs)
    _check_same_code(runs, {v.label: code[v.label] for v in plan.variants if not v.existing})
    return runs if _same_items(runs) else [replace(run, items=None) for run in runs]


def _same_items(runs: Sequence[CompletedRun]) -> bool:
    """Whether all runs were tested on the same items, as far as they have recorded it: those of a cross-validation were
    not, and item by item nothing can be said of them."""
    digests = (read_environment(Path(run.folder)).get("heldout_sha256") for run in runs)
    return len({digest for digest in digests if digest is not None}) < 2


def _check_same_data(runs: list[CompletedRun]) -> None:
    """Runs of two corpora cannot be compared, whatever their configs say."""
    seen: dict[str, str] = {}
    for run in runs:
        facts = read_environment(Path(run.folder))
        if facts:
            seen.setdefault(str(facts.get("data_sha256")), run.folder)
    if len(seen) > 1:
        raise DataError(
            "these runs were not trained on the same text: " + " and ".join(seen.values()),
            f"has the corpus changed? {MAY_DIFFER}; choose another --name",
        )


def _check_same_code(runs: list[CompletedRun], checked: Mapping[str, Mapping[str, str]]) -> None:
    """Runs of different code are not one row, nor are runs of unchecked code: a user's own code may have been changed
    while the runs were made."""
    seen: dict[str, tuple[str, Mapping[str, str]]] = {}
    for run in runs:
        own = recorded_code(Path(run.folder)) or {}
        first, code = seen.setdefault(run.label, (run.folder, own))
        # a run may have recorded more: what was imported under a name that existed only then
        changed = any(own.get(place) != digest for place, digest in checked.get(run.label, {}).items())
        if changed:
            first = "what this comparison was started with"
        if changed or own != code:
            raise CheckpointError(
                f"{run.label}: {first} and {run.folder} were made with different code",
                "restore the code of the one that is right, and move the other run away: it is made anew",
            )


def run_notes(runs: Sequence[CompletedRun]) -> list[str]:
    """Notes where runs were tested on different items, and where devices or precisions differ, so that their times
    cannot be compared."""
    notes: list[str] = []
    if not _same_items(runs):
        notes.append("not all runs were tested on the same items (other splits): verdicts are over seeds alone")
    for key in ("device", "precision"):
        found = sorted({str(run.result.get(key)) for run in runs})
        if len(found) > 1:
            notes.append(f"not all runs have the same {key} ({', '.join(found)}): their times cannot be compared")
    return notes
