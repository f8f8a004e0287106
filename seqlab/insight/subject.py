"""A trained run to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from seqlab.drawing.picture import Picture
from seqlab.experiment import Trained
from seqlab.interfaces import Meter, Network, Task
from seqlab.training.device import resolve_device
from seqlab.training.evaluation import evaluate


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
    def tested(self) -> Meter[Any]:
        """What it reaches on the test split."""
        config = replace(self.trained.config.device, type="cpu", precision="fp32", compile="never")
        device = resolve_device(config, deterministic=False)
        return evaluate(self.network, self.task.batches("test", 0), self.task.meter("test"), device)


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


def for_each(subjects: Sequence[Subject], draw: Callable[[Subject], Iterable[Picture]]) -> list[Picture]:
    """The pictures of each subject by itself; where there are several, names and titles say whose they are."""
    drawn = [list(draw(subject)) for subject in subjects]
    if len(subjects) == 1:
        return drawn[0]
    return [
        replace(picture, name=f"{picture.name}-{place}", title=f"{picture.title}: {subject.label}")
        for place, (subject, pictures) in enumerate(zip(subjects, drawn, strict=True), 1)
        for picture in pictures
    ]
