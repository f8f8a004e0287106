"""A trained run to be looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from seqlab.drawing.picture import Picture
from seqlab.errors import ConfigError, DataError, NumericError, SeqlabError
from seqlab.experiment import Trained
from seqlab.interfaces import Meter, Network, Task
from seqlab.training.device import resolve_device
from seqlab.training.validation import evaluate


@dataclass(frozen=True)
class Subject:
    """A trained run with the name that it has in pictures."""

    label: str
    trained: Trained

    @property
    def task(self) -> Task[Any]:
        """What it was trained on."""
        return self.trained.task

    @property
    def network(self) -> Network[Any]:
        """With its best weights, on the CPU."""
        return self.trained.network

    @cached_property
    def validated(self) -> Meter[Any]:
        """What it reaches on the validation split: pictures help to choose what to try next, so test is not in them."""
        config = replace(self.trained.config.device, type="cpu", precision="fp32", compile="never")
        device = resolve_device(config, deterministic=False)
        meter = evaluate(self.network, self.task.batches("validation", 0), self.task.meter("validation"), device)
        metrics = meter.compute()
        judged = (metrics[name].value for name in (meter.primary, "loss") if name in metrics)
        if any(map(math.isnan, judged)):  # whatever it answers is chance
            raise NumericError("its validation loss is not a number", "its weights have diverged: train it again")
        return meter


def name_subjects(trained: Sequence[Trained]) -> list[Subject]:
    """Each by its model's name, with its folder's name where two have the same model."""
    models = [run.config.names["model"] for run in trained]
    labels = [
        model if models.count(model) == 1 else f"{model} {run.folder.name}"
        for model, run in zip(models, trained, strict=True)
    ]
    # two folders of one name: both with what stands before it
    return [
        Subject(label if labels.count(label) == 1 else str(run.folder), run)
        for label, run in zip(labels, trained, strict=True)
    ]


def for_each(subjects: Sequence[Subject], draw: Callable[[Subject], Sequence[Picture]]) -> list[Picture]:
    """The pictures of each subject by itself; where there are several, names and titles say whose they are. Raises
    why the last has none if none of them has any."""
    drawn: list[Sequence[Picture]] = []
    why: SeqlabError | None = None
    for subject in subjects:
        try:
            drawn.append(draw(subject))
        except SeqlabError as error:
            why = error
            drawn.append(())
    if not any(drawn):
        raise why or ConfigError("there is nothing to see")
    if len(subjects) == 1:
        return list(drawn[0])
    return [
        replace(picture, name=f"{picture.name}-{place}", title=f"{picture.title}: {subject.label}")
        for place, (subject, pictures) in enumerate(zip(subjects, drawn, strict=True), 1)
        for picture in pictures
    ]


def check_same_data(subjects: Sequence[Subject]) -> None:
    """Raise ConfigError unless all were trained and are judged on the same data: curves over each other say so."""
    first, *others = subjects
    for other in others:
        if other.task.data_sha256 != first.task.data_sha256 or list(other.task.symbols()) != list(first.task.symbols()):
            raise ConfigError(
                f"{first.trained.folder} and {other.trained.folder} read different data",
                "lay runs on one corpus over each other, with the same task settings",
            )


def longest_context(task: Task[Any], wanted: int) -> int:
    """`wanted`, or less where the validation split is short: the longest context that some of its tokens have."""
    while wanted > 1:
        try:
            next(task.contexts("validation", 1, wanted, 1))
        except DataError:
            wanted //= 2
        else:
            break
    return wanted
