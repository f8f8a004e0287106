"""Rank runs by validation, best first, within groups that share data and metric."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from seqlab.config.overrides import spelled
from seqlab.config.suggest import did_you_mean
from seqlab.core.metric import validated
from seqlab.errors import ConfigError

if TYPE_CHECKING:
    from seqlab.runs.catalogue import RunFiles

_MOST_SETTINGS = 3  # named in a heading


class Group(NamedTuple):
    """What runs must share to be ranked together: task, sha256 of the corpus and of the held-out splits, metric and its
    signature. metric: "" for a run without a result."""

    task: str
    data: str
    heldout: str
    metric: str
    signature: str


def group_of(run: RunFiles) -> Group:
    """The group of a run. Old runs do not record their splits: for those, all task settings must be equal."""
    facts, result = run.environment, run.result or {}
    settings = json.dumps(run.config.get("task"), sort_keys=True, default=str)
    heldout = facts.get("heldout_sha256") or hashlib.sha256(settings.encode()).hexdigest()
    metric = str(result.get("primary", ""))
    details = result.get("details")
    signatures = details.get("signatures") if isinstance(details, dict) else None
    signature = str(signatures.get(metric, "")) if isinstance(signatures, dict) else ""
    return Group(run.task, str(facts.get("data_sha256", "")), str(heldout), metric, signature)


def grouped(runs: Iterable[RunFiles]) -> dict[Group, list[RunFiles]]:
    """Runs by group: tasks in alphabetical order, and within a task the group with the newest run first. A run without
    a result joins the group that it will belong to, if one exists."""
    found: dict[Group, list[RunFiles]] = {}
    unfinished: list[tuple[Group, RunFiles]] = []
    for run in runs:
        group = group_of(run)
        if run.result is None:
            unfinished.append((group, run))
        else:
            found.setdefault(group, []).append(run)
    for group, run in unfinished:
        home = next((known for known in found if known[:3] == group[:3]), group)
        found.setdefault(home, []).append(run)
    ordered = sorted(found, key=lambda group: (group.task, -max(run.changed.timestamp() for run in found[group])))
    return {group: found[group] for group in ordered}


def sort_runs(runs: Iterable[RunFiles], key: str | None) -> list[RunFiles]:
    """Group by group, each sorted by `key`: None (the criterion of its task), a validation metric, or a key of SORTS.
    Ties go to the newer run; runs without a result come last. Raises ConfigError for a key that no run has."""
    groups = grouped(runs)
    done = [run for members in groups.values() for run in members if run.result is not None]
    rest = [run for members in groups.values() for run in members if run.result is None]
    metrics = sorted({name for run in done for name in (run.result or {})["validation"]})
    if key is not None and key not in (*SORTS, *metrics):
        hint = did_you_mean(key, (*SORTS, *metrics), "--sort ")
        raise ConfigError(f"--sort {key}: no run has it", hint, f"sort by: {', '.join((*SORTS, *metrics))}")
    order = _by_metric(key) if key not in SORTS else SORTS[str(key)]
    found: list[RunFiles] = []
    for members in groups.values():
        found += sorted((run for run in members if run.result is not None), key=order)
    return found + sorted(rest, key=lambda run: -run.changed.timestamp())


def _by_metric(name: str | None) -> Callable[[RunFiles], Any]:
    def rank(run: RunFiles) -> tuple[float, ...]:
        assert run.result is not None
        judged = run.result if name is None else {**run.result, "criterion": [name]}
        return (*(validated(judged).rank or (math.inf,)), -run.changed.timestamp())

    return rank


def _by(name: str, sign: int) -> Callable[[RunFiles], Any]:
    return lambda run: sign * ((run.result or {}).get(name) or 0)


SORTS: dict[str, Callable[[RunFiles], Any]] = {
    "time": lambda run: -run.changed.timestamp(),
    "model": lambda run: (run.model, run.config.get("seed") or 0),
    "parameters": _by("parameters", 1),
    "seconds": _by("seconds", 1),
    "tokens_per_second": _by("tokens_per_second", -1),
    "steps": _by("steps", 1),
}


def group_names(groups: Mapping[Group, list[RunFiles]]) -> dict[Group, str]:
    """A name for each group: its task and, if a task has several groups, what distinguishes them."""
    parts: dict[Group, list[str]] = {}
    for group in groups:
        beside = {other: runs for other, runs in groups.items() if other.task == group.task}
        parts[group] = [group.task, *(_differences(group, beside) if len(beside) > 1 else [])]
    alike = Counter(map(tuple, parts.values()))
    for group, texts in parts.items():
        if alike[tuple(texts)] > 1 or (len(texts) == 1 and sum(g.task == group.task for g in groups) > 1):
            parts[group] = [*texts, f"data {group.data[:8]}, splits {group.heldout[:8]}"]
    return {group: ", ".join(texts) for group, texts in parts.items()}


def _differences(group: Group, beside: Mapping[Group, list[RunFiles]]) -> list[str]:
    """What distinguishes a group from the others on its task: settings whose values are either equal or disjoint
    between groups, and the metric. A group may have several values of a setting: a corpus and its copy."""
    held: dict[str, dict[Group, set[str]]] = {}
    for other, runs in beside.items():
        for run in runs:
            settings = run.config.get("task")
            for key, value in settings.items() if isinstance(settings, dict) else ():
                held.setdefault(key, {}).setdefault(other, set()).add(spelled(value))
    found = []
    for key, values in held.items():
        others = [values[other] for other in beside if other in values]
        if key == "_target_" or len(others) < len(beside):
            continue
        mine = values[group]
        if any(mine != its for its in others) and all(mine == its or mine.isdisjoint(its) for its in others):
            found.append(f"{key} {' or '.join(sorted(mine))}")
    found = found[:_MOST_SETTINGS]
    if len({other.metric for other in beside}) > 1 and not any(text.endswith(f" {group.metric}") for text in found):
        found.append(f"by {group.metric}" if group.metric else "no result")
    return found
