"""A variant while its plan is being resolved: with its config and its task."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqlab.comparison.plan import Plan, Variant
from seqlab.config.overrides import merged
from seqlab.config.run import RunConfig, load_run_config
from seqlab.core.task import Task
from seqlab.data.corpus import MAY_DIFFER
from seqlab.errors import DataError, SeqlabError
from seqlab.runs.environment import read_environment


@dataclass(frozen=True)
class Candidate:
    """A variant whose plan is being resolved. task_seconds: the time to read its corpus."""

    variant: Variant
    config: RunConfig
    task: Task[Any]
    task_seconds: float
    config_dir: Path | None

    @property
    def label(self) -> str:
        """The variant's name in tables."""
        return self.variant.label

    @property
    def is_trained(self) -> bool:
        """Whether the comparison trains it; otherwise its runs existed before, and nothing about them can change."""
        return not self.variant.existing

    def with_overrides(self, *overrides: str) -> Candidate:
        """The candidate with these overrides as well; they replace those of the same keys."""
        variant, config = _changed(self.variant, self.config, overrides, self.config_dir)
        return replace(self, variant=variant, config=config)


def _changed(
    variant: Variant, config: RunConfig, overrides: Sequence[str], config_dir: Path | None
) -> tuple[Variant, RunConfig]:
    words = merged(variant.overrides, overrides)
    # with its seed, to which other settings may refer: task.fold=${seed}
    changed = load_run_config([*words, f"seed={config.seed}"], config_dir)
    return variant.with_overrides(words, changed), changed


def pinned(
    plan: Plan, configs: Mapping[str, RunConfig], config_dir: Path | None
) -> tuple[Plan, Mapping[str, RunConfig]]:
    """The plan whose models all read the data as it is now, and their configs: the revision of a dataset, asked for
    once, is among the overrides of each."""
    exact = next((configs[variant.label].task.pinned() for variant in plan.to_train), {})
    if not exact:
        return plan, configs
    pins = [f"task.{setting}={value}" for setting, value in exact.items()]
    changed = {variant.label: _changed(variant, configs[variant.label], pins, config_dir) for variant in plan.to_train}
    variants = tuple(changed[v.label][0] if v.label in changed else v for v in plan.variants)
    return replace(plan, variants=variants), {**configs, **{label: config for label, (_, config) in changed.items()}}


@contextmanager
def named(variant: Variant) -> Iterator[None]:
    """Put the variant's label into errors. Errors about an existing run are dropped: only its measurements are missing
    then."""
    try:
        yield
    except SeqlabError as error:
        if not variant.existing:
            raise type(error)(f"{variant.label}: {error.what}", error.hint, error.allowed) from error


def build_candidates(plan: Plan, configs: Mapping[str, RunConfig], config_dir: Path | None) -> list[Candidate]:
    """The variants with their tasks, each task built once. Without existing runs whose task cannot be built.

    Raises DataError unless all were or would be trained on the same text.
    """
    built: dict[Any, tuple[Task[Any], float]] = {}
    found: list[Candidate] = []
    for variant in plan.variants:
        config = configs[variant.label]
        with named(variant):
            if config.task not in built:
                started = time.perf_counter()
                built[config.task] = (config.task.build(), time.perf_counter() - started)
            found.append(Candidate(variant, config, *built[config.task], config_dir))
    _check_same_text(plan, {task.data_sha256 for task, _ in built.values()})
    return found


def _check_same_text(plan: Plan, digests: set[str]) -> None:
    """digests: of the texts that would be read now."""
    for variant in plan.variants:
        for folder in variant.existing.values():
            if (found := read_environment(Path(folder)).get("data_sha256")) is not None:
                digests.add(found)
                if len(digests) > 1:
                    raise DataError(
                        f"{folder} was not trained on the same text as the others",
                        f"has the corpus changed? {MAY_DIFFER}",
                    )
    if len(digests) > 1:
        raise DataError("the models would not be trained on the same text", "give all the same corpus")
