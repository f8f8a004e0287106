"""The tasks that a plan is made with: each built once, and all on the same corpus."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from seqlab.comparison.plan import Plan
from seqlab.config.run import RunConfig
from seqlab.core.task import Task
from seqlab.errors import DataError
from seqlab.runs.environment import read_environment


class Tasks:
    """The tasks of a plan, each built once. seconds: what that took."""

    def __init__(self) -> None:
        self.built: dict[Any, Task[Any]] = {}
        self.seconds: dict[Any, float] = {}

    def of(self, config: RunConfig) -> Task[Any]:
        """The config's task."""
        if config.task not in self.built:
            started = time.perf_counter()
            self.built[config.task] = config.task.build()
            self.seconds[config.task] = time.perf_counter() - started
        return self.built[config.task]


def check_corpus(plan: Plan, tasks: Tasks) -> None:
    """The runs that exist must have read what the others will."""
    digests = {task.data_sha256 for task in tasks.built.values()}
    for variant in plan.variants:
        for folder in variant.existing.values():
            if (found := read_environment(Path(folder)).get("data_sha256")) is not None:
                digests.add(found)
                if len(digests) > 1:
                    raise DataError(
                        f"{folder} was not trained on the same text as the others",
                        "has the corpus changed? python_docs differs by Python version, cldr by Babel's",
                    )
    if len(digests) > 1:
        raise DataError("the models would not be trained on the same text", "give all the same corpus")
