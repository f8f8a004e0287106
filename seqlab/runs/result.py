"""What a run came to: the test split with the weights that validated best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.checkpoints.best import load_best
from seqlab.config.run import RunConfig
from seqlab.core.baseline import ChanceLevel
from seqlab.core.files import finite
from seqlab.core.meter import Meter
from seqlab.core.metric import Metric
from seqlab.core.offers import offers
from seqlab.core.task import Task
from seqlab.metrics import kinds
from seqlab.training.remarks import still_improving, validations, worse_than_chance
from seqlab.training.seeds import stream_seed
from seqlab.training.trainer import Trainer

TEST_IS_VALIDATION = (
    "test = validation: the corpus has no test split of its own, so that its test figures are those of the split "
    "that chose the weights"
)


_NOT_PLAIN = ("metrics", "remarks", "item_values", "sample")  # of a Result


@dataclass(frozen=True)
class Result:
    """What a run came to; result.json holds the same. remarks: those of the warnings that belong beside the figures;
    the others are about the data, and were said before training."""

    folder: Path
    task: str
    model: str
    seed: int
    parameters: int
    steps: int
    tokens: int
    seconds: float
    tokens_per_second: float
    peak_memory_bytes: int
    best_step: int
    primary: str
    criterion: tuple[str, ...]
    validation: dict[str, float]
    test: dict[str, float]
    test_interval: tuple[float, float]
    details: dict[str, Any]
    device: str
    precision: str
    metrics: dict[str, Metric]
    warnings: tuple[str, ...]
    remarks: tuple[str, ...]
    test_is_validation: bool
    item_values: tuple[float, ...]
    sample: str

    def as_json(self) -> dict[str, Any]:
        """Plain values, as result.json and --json give them."""
        plain = {key: value for key, value in vars(self).items() if key not in _NOT_PLAIN}
        plain_values: dict[str, Any] = finite({**plain, "folder": str(self.folder), "metrics": kinds(self.metrics)})
        return plain_values


def task_warnings(task: Task[Any]) -> tuple[str, ...]:
    """What makes a task's figures mean less than they seem to: what it says itself, and what shows in its splits."""
    return (*([TEST_IS_VALIDATION] if task.test_is_validation else []), *task.warnings())


def conclude(trainer: Trainer[Any], config: RunConfig, folder: Path, parameters: int) -> Result:
    """The test split with the weights that validated best."""
    network, progress = trainer.network, trainer.progress
    best_step = load_best(network, folder / "checkpoints", progress.best_step if progress.best else progress.step)
    network.eval()
    validation, meter = trainer.evaluate("validation").compute(), trainer.evaluate("test")
    metrics = meter.compute()
    remarks = _remarks(trainer, validation, meter.primary, folder)
    return Result(
        folder=folder,
        task=config.names["task"],
        model=config.names["model"],
        seed=config.seed,
        parameters=parameters,
        steps=progress.step,
        tokens=progress.tokens,
        seconds=progress.seconds,
        tokens_per_second=progress.tokens / max(progress.seconds, 1e-9),
        peak_memory_bytes=trainer.device.peak_memory_bytes(),
        best_step=best_step,
        primary=meter.primary,
        criterion=meter.criterion(),
        validation={key: metric.value for key, metric in validation.items()},
        test={key: metric.value for key, metric in metrics.items()},
        test_interval=meter.interval(stream_seed(config.seed, "bootstrap")),
        details=meter.details(),
        device=trainer.device.name,
        precision=trainer.device.precision,
        metrics=metrics,
        warnings=(*task_warnings(trainer.task), *remarks),
        remarks=(*([TEST_IS_VALIDATION] if trainer.task.test_is_validation else []), *remarks),
        test_is_validation=trainer.task.test_is_validation,
        item_values=_item_values(meter),
        sample="",
    )


def _remarks(trainer: Trainer[Any], metrics: Mapping[str, Metric], primary: str, folder: Path) -> tuple[str, ...]:
    """What a reader should know of these validation figures: what advises another training must not know the test."""
    task = trainer.task
    chance = task.chance("validation") if offers(task, ChanceLevel) else None
    worse = worse_than_chance(metrics, primary, chance, trainer.remedy)
    falling = still_improving(validations(folder, primary), metrics[primary], primary)
    return tuple(said for said in (worse or falling,) if said is not None)


def _item_values(meter: Meter[Any]) -> tuple[float, ...]:
    """The primary metric item by item; none where the meter has no items, or one that is not a number."""
    sums = meter.item_sums()
    values = () if sums is None else tuple(sums.item_values().tolist())
    return values if all(map(math.isfinite, values)) else ()
