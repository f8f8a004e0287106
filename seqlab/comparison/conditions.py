"""The conditions under which a verdict holds: what differs between models, how long they trained, what they read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from seqlab.config.compose import read_composed
from seqlab.config.overrides import spelled
from seqlab.drawing.numbers import compact
from seqlab.errors import ConfigError

if TYPE_CHECKING:
    from seqlab.comparison.summary import Row, Summary

_COMPARED = ("model", "optim", "task", "trainer", "init_from")
_SAME_TEXT = 0.02  # batches of whole texts differ in size
MISSING = "–"


def _leaves(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, inner in node.items():
            if name != "_target_":
                yield from _leaves(inner, f"{key}.{name}")
    else:
        yield key, node


def _settings(row: Row) -> Mapping[str, Any]:
    """A model's resolved settings by dotted key, from the config that one of its runs stored."""
    for run in row.runs:
        path = Path(run.folder).absolute() / "config.yaml"
        try:
            return _stored(path, path.stat().st_mtime_ns)
        except (OSError, ConfigError):
            continue
    return {}


@lru_cache(maxsize=256)
def _stored(path: Path, _modified: int) -> Mapping[str, Any]:
    """A page asks several times, and parsing YAML is slow."""
    tree = read_composed(path).tree
    return {key: value for group in _COMPARED for key, value in _leaves(tree.get(group, {}), group)}


def differing(summary: Summary) -> dict[str, dict[str, Any]]:
    """Every setting of model, optimizer, task and trainer, and init_from, that is not the same for all models: its
    value by label, for the models that have it. The number of parameters comes first."""
    settings = {row.label: found for row in summary.rows if (found := _settings(row))}
    sizes = {row.label: row.runs[0].result["parameters"] for row in summary.rows if row.runs}
    table: dict[str, dict[str, Any]] = {"parameters": sizes} if len(set(sizes.values())) > 1 else {}
    for key in dict.fromkeys(key for found in settings.values() for key in found):
        values = [found.get(key, MISSING) for found in settings.values()]
        if any(value != values[0] for value in values):
            table[key] = {label: found[key] for label, found in settings.items() if key in found}
    return table


def differing_cells(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """The same as a table: (headings, a row of cells for each setting)."""
    labels = [row.label for row in summary.rows if row.runs]
    rows = [
        [key, *(_shown(values[label]) if label in values else MISSING for label in labels)]
        for key, values in differing(summary).items()
    ]
    return ["setting", *labels], rows


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return spelled(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else spelled(value)


def condition(summary: Summary) -> str:
    """Length of training and how sizes were chosen, in a few words."""
    steps = [int(run.result["steps"]) for row in summary.rows for run in row.runs]
    low, high = min(steps, default=0), max(steps, default=0)
    plan = summary.plan
    length = f"after {low:,} steps" if low == high else f"after {low:,} to {high:,} steps"
    if plan.budget is not None:
        length += f" (budget {plan.budget})"
    sizes = f"sizes matched at {plan.match.replace('=', ' = ')}" if plan.match else "sizes as configured (not matched)"
    return f"{length}, {sizes}"


def unequal_text(summary: Summary) -> str | None:
    """The tokens that each model read, and the remedy, if a step of one reads more text than a step of another and no
    budget of tokens makes up for it; otherwise None."""
    steps = {row.label: fmean(run.result["steps"] for run in row.runs) for row in summary.rows if row.runs}
    read = {row.label: fmean(run.result["tokens"] for run in row.runs) for row in summary.rows if row.runs}
    if _alike(read.values()) or _alike(read[label] / steps[label] for label in read):
        return None
    amounts = ", ".join(f"{label} {compact(tokens)}" for label, tokens in read.items())
    what = "equal steps" if len(set(steps.values())) == 1 else "different numbers of steps"
    return (
        f"{what}, but not the same amount of text in each (tokens read: {amounts}): "
        f"--budget {compact(min(read.values()))}tokens gives all the same"
    )


def _alike(amounts: Iterable[float]) -> bool:
    known = list(amounts)
    return not known or max(known) <= (1 + _SAME_TEXT) * min(known)


def unequal_seeds(summary: Summary) -> str | None:
    """How many seeds verdicts rest on, and the remedy, if models have different numbers of them; otherwise None."""
    counts = {row.label: len(row.test) for row in summary.rows if len(row.test) > 1}
    if len(set(counts.values())) < 2:
        return None
    have = ", ".join(f"{label} {count}" for label, count in counts.items())
    return (
        f"the models have different numbers of seeds ({have}): verdicts rest on {min(counts.values())} of each, first "
        "on those that all have; make the missing runs to use them all"
    )


def cautions(summary: Summary) -> list[tuple[str, str]]:
    """(tag, sentence) of each thing that a reader of the verdicts should know."""
    found = {"unequal text": unequal_text(summary), "unequal seeds": unequal_seeds(summary)}
    return [(tag, text) for tag, text in found.items() if text is not None]


def conditions_json(summary: Summary) -> dict[str, Any]:
    """Plain values of the conditions, for summary.json."""
    return {
        "condition": condition(summary),
        "unequal_text": unequal_text(summary),
        "fewer_seeds": unequal_seeds(summary),
        "settings": differing(summary),
    }


def about_curves(summary: Summary) -> str:
    """What the losses in curves contain: precision, dropout, label smoothing."""
    found = {str(run.result.get("precision")) for row in summary.rows for run in row.runs}
    smoothed = {
        row.label: value
        for row in summary.rows
        for key, value in _settings(row).items()
        if key == "task.label_smoothing" and value
    }
    smoothing = "".join(f", and {label}'s with label smoothing {value:g} in it" for label, value in smoothed.items())
    return (
        f"Validation is the plain loss, without dropout and label smoothing, in the precision of training "
        f"({', '.join(sorted(found))}). TensorBoard's train/loss is taken while training, with dropout{smoothing}: it "
        "cannot be compared with validation, nor between models that differ in either."
    )


def joined(labels: list[str]) -> str:
    """`a, b and c`."""
    return labels[0] if len(labels) == 1 else ", ".join(labels[:-1]) + " and " + labels[-1]


def no_better(summary: Summary) -> list[str]:
    """A sentence for each baseline that some models do not beat on the test split."""
    found: list[str] = []
    for base in (base for base in summary.baselines if summary.primary in base.metrics):
        value = base.metrics[summary.primary].value
        means = {row.label: row.mean for row in summary.rows if row.mean is not None}
        labels = [label for label, mean in means.items() if summary.metric.gain(mean, value) <= 0]
        if labels:
            are = "is" if len(labels) == 1 else "are"
            found.append(f"{joined(labels)} {are} no better than {base.name}, which needs no network")
    return found
