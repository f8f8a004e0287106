"""Stored runs for inspection, and what every view needs of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from seqlab.config.run import RunConfig
from seqlab.core.example import context_source
from seqlab.core.meter import Meter
from seqlab.core.network import Network
from seqlab.core.results import Result
from seqlab.core.task import Task
from seqlab.drawing.picture import Picture
from seqlab.errors import ConfigError, DataError, NumericError, SeqlabError
from seqlab.training.device import Device, resolve_device
from seqlab.training.validation import evaluate

ResultT = TypeVar("ResultT", bound=Result)


@dataclass(frozen=True)
class InspectedRun:
    """A stored run with its network's best weights, those of step `step`, on the CPU. label: its name in pictures;
    variant: what it and those that differ from it in nothing but the seed are called."""

    label: str
    folder: Path
    config: RunConfig
    task: Task[Any]
    network: Network[Any]
    step: int
    variant: str = ""

    @cached_property
    def validated(self) -> Meter[Any]:
        """Its evaluation on the validation split: pictures help to choose what to try next, so they never show test."""
        meter = self.evaluate(self.task.batches("validation", 0))
        metrics = meter.compute()
        judged = (metrics[name].value for name in (meter.primary, "loss") if name in metrics)
        if any(map(math.isnan, judged)):  # its predictions mean nothing
            raise NumericError("its validation loss is not a number", "its weights have diverged: train it again")
        return meter

    def evaluate(self, batches: Iterable[Any]) -> Meter[Any]:
        """Its evaluation on batches of the validation split."""
        return evaluate(self.network, batches, self.task.meter("validation"), self.device)

    @cached_property
    def device(self) -> Device:
        """The CPU, in fp32."""
        config = replace(self.config.device, type="cpu", precision="fp32", compile="never")
        return resolve_device(config, deterministic=False)

    def results(self, kind: type[ResultT]) -> list[ResultT]:
        """The results of this type on the validation split (core/results.py)."""
        return [result for result in self.validated.results() if isinstance(result, kind)]


def for_each(runs: Sequence[InspectedRun], draw: Callable[[InspectedRun], Sequence[Picture]]) -> list[Picture]:
    """The pictures of each run; with several runs, names and titles tell them apart. If no run has any, raises the last
    run's error."""
    drawn: list[Sequence[Picture]] = []
    why: SeqlabError | None = None
    for run in runs:
        try:
            drawn.append(draw(run))
        except SeqlabError as error:
            why = error
            drawn.append(())
    if not any(drawn):
        raise why or ConfigError("there is nothing to draw")
    if len(runs) == 1:
        return list(drawn[0])
    return [
        replace(picture, name=f"{picture.name}-{place}", title=f"{picture.title}: {run.label}")
        for place, (run, pictures) in enumerate(zip(runs, drawn, strict=True), 1)
        for picture in pictures
    ]


def check_same_data(runs: Sequence[InspectedRun]) -> None:
    """Raise ConfigError unless all were trained and are evaluated on the same data: only then may they share a
    picture."""
    first, *others = runs
    for other in others:
        vocabularies = [list(run.task.vocabulary()) for run in (first, other)]
        if other.task.data_sha256 != first.task.data_sha256 or vocabularies[0] != vocabularies[1]:
            raise ConfigError(
                f"{first.folder} and {other.folder} read different data",
                "draw runs on one corpus in one picture, with the same task settings",
            )


def longest_context(task: Task[Any], wanted: int) -> int:
    """`wanted`, or less if the validation split is short: the longest context that some of its tokens have."""
    while wanted > 1:
        try:
            next(context_source(task).contexts("validation", 1, wanted, 1))
        except DataError:
            wanted //= 2
        else:
            break
    return wanted
