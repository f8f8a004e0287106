"""What trackers are told of a run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from seqlab.config.overrides import key_of
from seqlab.config.run import RunConfig
from seqlab.core.task import Task
from seqlab.runs.catalogue import flat
from seqlab.runs.environment import read_environment
from seqlab.runs.folder import read_overrides
from seqlab.tracking.tracker import TrackedRun


def tracked(config: RunConfig, folder: Path, task: Task[Any], parameters: int, step: int) -> TrackedRun:
    """The run, as trackers know it, at the step from which it goes on."""
    above = next((place for place in folder.absolute().parents[:3] if (place / "plan.json").is_file()), None)
    name = "/".join(folder.absolute().parts[-3:]) if above is None else str(folder.absolute().relative_to(above.parent))
    commit = read_environment(folder).get("git_commit")
    return TrackedRun(
        folder=folder,
        name=name,
        group="" if above is None else above.name,
        config=config.yaml,
        settings={
            **config.names,
            **{key: value for key, value in flat(config.tree).items() if not key.endswith("_target_")},
            "parameters": parameters,
            "git_commit": commit,
        },
        hparams=_hparams(config, parameters, folder),
        columns=[f"val_best/{name}" for name in task.meter("validation").criterion()],
        step=step,
    )


def _hparams(config: RunConfig, parameters: int, folder: Path) -> dict[str, bool | int | float | str]:
    """For TensorBoard's HParams: plain settings of model and optimizer, those of task and trainer that were given, and
    the names of the groups."""
    found: dict[str, bool | int | float | str] = {key: name for key, name in config.names.items() if key != "logging"}
    given = set(map(key_of, read_overrides(folder)))
    for group in ("model", "optim", "task", "trainer"):
        for name, value in asdict(getattr(config, group)).items():
            key = f"{group}.{name}"
            if isinstance(value, bool | int | float | str) and (group in ("model", "optim") or key in given):
                found[key] = value
    return {**found, "seed": config.seed, "parameters": parameters}
