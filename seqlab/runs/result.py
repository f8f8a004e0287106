"""The result of a run: test metrics of the weights that validated best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqlab.checkpoints.best import load_best
from seqlab.config.run import RunConfig
from seqlab.core.baseline import chance_of
from seqlab.core.files import finite, number_or_nan
from seqlab.core.meter import Meter
from seqlab.core.metric import Metric
from seqlab.core.task import Task
from seqlab.errors import CheckpointError
from seqlab.metrics import kinds
from seqlab.runs.folder import read_items, read_result, read_sample
from seqlab.training.lengths import AtLength, evaluate_lengths, lengths_to_evaluate
from seqlab.training.remarks import still_improving, validations, worse_than_chance
from seqlab.training.seeds import stream_seed
from seqlab.training.trainer import Trainer

TEST_IS_VALIDATION = (
    "test = validation: the corpus has no test split of its own, so that its test figures are those of the split "
    "that chose the weights"
)


_FILES = ("item_values", "sample")  # of a Result: test_items.json and samples.txt


@dataclass(frozen=True)
class Result:
    """The figures of a run, of the weights that validated best; result.json holds the same.

    steps, tokens, seconds: of training alone.
    validation, test: metrics by name.
    primary, test_interval: the task's main metric, and its 95 % bootstrap interval over test items.
    metrics: the test metrics with unit and direction.
    lengths: what is reached on test sequences of the length of training and of each of task.eval_lengths; nothing where
        the task was given none.
    item_values: the primary metric of each test item.
    warnings, remarks: the remarks are the warnings that belong beside the figures; the others are about the data and
        were shown before training.
    """

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
    details: dict[str, Any] = field(repr=False)
    device: str
    precision: str
    metrics: dict[str, Metric] = field(repr=False)
    lengths: tuple[AtLength, ...] = field(repr=False)
    warnings: tuple[str, ...]
    remarks: tuple[str, ...]
    test_is_validation: bool
    item_values: tuple[float, ...] = field(repr=False)
    sample: str = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """Plain values, as result.json and --json give them."""
        plain = {key: value for key, value in vars(self).items() if key not in _FILES}
        lengths = [one.as_json() for one in self.lengths]
        plain_values: dict[str, Any] = finite(
            {**plain, "folder": str(self.folder), "metrics": kinds(self.metrics), "lengths": lengths}
        )
        return plain_values


def stored_result(folder: Path) -> Result:
    """Read a run's result. Raises CheckpointError if it is missing or damaged.

    Fields that older versions did not write are empty or nan.
    """
    stored = read_result(folder)
    if stored is None:
        raise CheckpointError(
            f"{folder} has no result yet", "it was stopped, or is in progress; to continue: seqlab resume"
        )
    try:
        validation, test = (_numbers(stored[split]) for split in ("validation", "test"))
        low, high = stored.get("test_interval") or (None, None)
        return Result(
            folder=folder,
            task=stored["task"],
            model=stored["model"],
            seed=stored["seed"],
            parameters=stored["parameters"],
            steps=stored["steps"],
            tokens=stored["tokens"],
            seconds=stored["seconds"],
            tokens_per_second=stored["tokens_per_second"],
            peak_memory_bytes=stored["peak_memory_bytes"],
            best_step=stored["best_step"],
            primary=stored["primary"],
            criterion=tuple(stored.get("criterion", ())),
            validation=validation,
            test=test,
            test_interval=(number_or_nan(low), number_or_nan(high)),
            details=stored.get("details", {}),
            device=stored["device"],
            precision=stored["precision"],
            metrics={name: Metric(test[name], **kind) for name, kind in stored["metrics"].items() if name in test},
            lengths=tuple(map(AtLength.stored, stored.get("lengths", ()))),
            warnings=tuple(stored.get("warnings", ())),
            remarks=tuple(stored.get("remarks", ())),
            test_is_validation=stored.get("test_is_validation", False),
            item_values=read_items(folder, stored["primary"]) or (),
            sample=read_sample(folder),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / 'result.json'} is not that of a run: {error!r:.100}") from error


def _numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: number_or_nan(value) for name, value in values.items()}


def task_warnings(task: Task[Any]) -> tuple[str, ...]:
    """Why a task's figures mean less than they seem to: its own warnings, and what its splits show."""
    return (*_of_splits(task), *task.warnings())


def _of_splits(task: Task[Any]) -> tuple[str, ...]:
    return (TEST_IS_VALIDATION,) if task.test_is_validation else ()


def conclude(trainer: Trainer[Any], config: RunConfig, folder: Path, parameters: int) -> Result:
    """Evaluate the weights that validated best on the test split."""
    network, progress = trainer.network, trainer.progress
    best_step = load_best(network, folder / "checkpoints", progress.best_step if progress.best else progress.step)
    network.eval()
    validated, meter = trainer.evaluate("validation"), trainer.evaluate("test")
    validation, metrics, seed = validated.compute(), meter.compute(), stream_seed(config.seed, "bootstrap")
    remarks = _remarks(trainer, validation, validated.primary, validated.interval(seed), folder)
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
        test_interval=meter.interval(seed),
        details=meter.details(),
        device=trainer.device.name,
        precision=trainer.device.precision,
        metrics=metrics,
        lengths=evaluate_lengths(
            network, trainer.task, lengths_to_evaluate(trainer.task), "test", trainer.device, seed, meter
        ),
        warnings=(*task_warnings(trainer.task), *remarks),
        remarks=(*_of_splits(trainer.task), *remarks),
        test_is_validation=trainer.task.test_is_validation,
        item_values=_item_values(meter),
        sample="",
    )


def _remarks(
    trainer: Trainer[Any], metrics: Mapping[str, Metric], primary: str, interval: tuple[float, float], folder: Path
) -> tuple[str, ...]:
    """Remarks on the validation figures: advice on further training must not use the test split."""
    worse = worse_than_chance(metrics, primary, chance_of(trainer.task, "validation"), trainer.remedy, interval)
    falling = still_improving(validations(folder, primary), metrics[primary], primary)
    return tuple(said for said in (worse or falling,) if said is not None)


def _item_values(meter: Meter[Any]) -> tuple[float, ...]:
    """The primary metric of each item; none if the meter has no items, or a value is not finite."""
    sums = meter.item_sums()
    values = () if sums is None else tuple(sums.item_values().tolist())
    return values if all(map(math.isfinite, values)) else ()
