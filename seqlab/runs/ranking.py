"""Runs beside each other, best first by validation: only those that are judged on the same data by the same metric."""

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

_MOST_SETTINGS = 3  # that a heading names


class Group(NamedTuple):
    """What runs must have in common to be ranked: task, sha256 of corpus and of the splits that are held out, metric
    and how it was computed. metric: "" of a run without a result."""

    task: str
    data: str
    heldout: str
    metric: str
    signature: str


def group_of(run: RunFiles) -> Group:
    """Where a run belongs. The splits of runs of before are not known: there the task's settings must all be equal."""
    facts, result = run.environment, run.result or {}
    settings = json.dumps(run.config.get("task"), sort_keys=True, default=str)
    heldout = facts.get("heldout_sha256") or hashlib.sha256(settings.encode()).hexdigest()
    metric = str(result.get("primary", ""))
    details = result.get("details")
    signatures = details.get("signatures") if isinstance(details, dict) else None
    signature = str(signatures.get(metric, "")) if isinstance(signatures, dict) else ""
    return Group(run.task, str(facts.get("data_sha256", "")), str(heldout), metric, signature)


def grouped(runs: Iterable[RunFiles]) -> dict[Group, list[RunFiles]]:
    """Runs by their groups, tasks by name and in each the group with the newest run first. One without a result stands
    with those that it will be ranked with, where that is known."""
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
    """Group by group, in each best first by `key`: what a run's kind is judged by (None), any metric of validation, or
    what SORTS names; of equals the newer. Those without a result stand last. Raises ConfigError for a key that no run
    has."""
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
        if name is None:
            return (*validated(run.result).rank, -run.changed.timestamp())
        value = run.result["validation"].get(name)
        higher = run.result["metrics"].get(name, {}).get("higher_is_better", False)
        return (math.inf if value is None else -value if higher else value, -run.changed.timestamp())

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


def names_of(groups: Mapping[Group, list[RunFiles]]) -> dict[Group, str]:
    """Each group in words: its task, and where several groups are on one, in what they differ."""
    told: dict[Group, list[str]] = {}
    for group in groups:
        beside = {other: runs for other, runs in groups.items() if other.task == group.task}
        told[group] = [group.task, *(_differences(group, beside) if len(beside) > 1 else [])]
    alike = Counter(map(tuple, told.values()))
    for group, texts in told.items():
        if alike[tuple(texts)] > 1 or (len(texts) == 1 and sum(g.task == group.task for g in groups) > 1):
            told[group] = [*texts, f"data {group.data[:8]}, splits {group.heldout[:8]}"]
    return {group: ", ".join(texts) for group, texts in told.items()}


def _differences(group: Group, beside: Mapping[Group, list[RunFiles]]) -> list[str]:
    """In what a group differs from others on its task: the settings whose values are either the same or quite
    different in each of them, and the metric. A group may have several values of one: a corpus and its copy."""
    held: dict[str, dict[Group, set[str]]] = {}
    for other, runs in beside.items():
        for run in runs:
            settings = run.config.get("task")
            for key, value in settings.items() if isinstance(settings, dict) else ():
                held.setdefault(key, {}).setdefault(other, set()).add(spelled(value))
    told = []
    for key, values in held.items():
        others = [values[other] for other in beside if other in values]
        if key == "_target_" or len(others) < len(beside):
            continue
        mine = values[group]
        if any(mine != its for its in others) and all(mine == its or mine.isdisjoint(its) for its in others):
            told.append(f"{key} {' or '.join(sorted(mine))}")
    told = told[:_MOST_SETTINGS]
    if len({other.metric for other in beside}) > 1 and not any(text.endswith(f" {group.metric}") for text in told):
        told.append(f"by {group.metric}" if group.metric else "no result")
    return told
