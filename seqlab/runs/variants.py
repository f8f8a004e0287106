"""Labels of stored runs that are inspected together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqlab.config.overrides import spelled
from seqlab.insight.inspected import InspectedRun
from seqlab.runs.catalogue import flat
from seqlab.runs.run import Run

_TELLING = ("model.", "task.", "optim.", "trainer.", "device.precision", "deterministic", "init_from")  # begin with it
_NOT_TELLING = (  # settings that affect only what is logged and saved, and what is evaluated beside
    "trainer.log_every_steps", "trainer.log_pictures", "trainer.save_every_steps", "trainer.save_every_seconds",
    "task.eval_lengths", "task.eval_batch_size",
)  # fmt: skip
_MOST_SETTINGS = 3  # in a label: more of them tell less than the name of a folder


def label_runs(runs: Sequence[Run]) -> list[InspectedRun]:
    """The runs labelled by their model's name; runs of the same model also by the settings that differ (or a folder's
    name if these are too many), and by their seed if nothing else differs. Repeats of one seed are variants of their
    own: they are no further seeds."""
    variants = [_variant(run, runs) for run in runs]
    labels = [
        f"{variant}, seed {run.config.seed}" if variants.count(variant) > 1 else variant
        for variant, run in zip(variants, runs, strict=True)
    ]
    labels = [
        label if labels.count(label) == 1 else f"{run.config.names['model']} {run.folder.name}"
        for label, run in zip(labels, runs, strict=True)
    ]
    # equal labels are replaced by the whole path
    labels = [label if labels.count(label) == 1 else str(run.folder) for label, run in zip(labels, runs, strict=True)]
    trained = [(variant, run.config.seed) for variant, run in zip(variants, runs, strict=True)]
    return [
        inspected(label, run, variant if trained.count((variant, seed)) == 1 else label)
        for label, run, (variant, seed) in zip(labels, runs, trained, strict=True)
    ]


def inspected(label: str, run: Run, variant: str | None = None) -> InspectedRun:
    """The run with its label in pictures, and that of its variant, which by default it is alone."""
    return InspectedRun(label, run.folder, run.config, run.task, run.network, run.step, variant or label)


def _variant(run: Run, runs: Sequence[Run]) -> str:
    """The label of a run and of those that differ from it only in the seed."""
    name = run.config.names["model"]
    alike = [other for other in runs if other.config.names["model"] == name]
    mine, settings = _settings(run), [_settings(other) for other in alike]
    differing = [
        f"{key.rpartition('.')[2]}={spelled(value)}"
        for key, value in mine.items()
        if any(other.get(key) != value for other in settings)
    ]
    if len(differing) <= _MOST_SETTINGS:
        return ", ".join((name, *differing))
    return f"{name} {alike[settings.index(mine)].folder.name}"


def _settings(run: Run) -> dict[str, Any]:
    """The settings that distinguish runs, by dotted key."""
    every = flat(run.config.tree)
    return {key: value for key, value in every.items() if key.startswith(_TELLING) and key not in _NOT_TELLING}
