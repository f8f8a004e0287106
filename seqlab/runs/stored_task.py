"""The task of a stored run, with the vocabulary of training; its corpus is read only when needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqlab.config.run import RunConfig
from seqlab.core.task import Task
from seqlab.data.corpus import MAY_DIFFER
from seqlab.data.files import sha256_of
from seqlab.errors import DataError
from seqlab.runs.environment import read_environment, recorded
from seqlab.runs.vocabulary import restore_task


def stored_task(config: RunConfig, folder: Path) -> Task[Any]:
    """The task, whose corpus is read on first need. Only then DataError is raised if it is missing or has changed; at
    once for a task that cannot be restored without it, and for runs from before vocabularies were stored."""
    facts = recorded(folder)

    def read() -> Task[Any]:
        task = build_task(config, folder)
        check_data(facts, task, folder)
        return task

    def read_late() -> Task[Any]:
        try:
            return read()
        except DataError as error:
            raise DataError(f"this needs the corpus of {folder}: {error.what}", error.hint, error.allowed) from error

    task = restore_task(config.task, folder, facts, read_late)
    return read() if task is None else task


def build_task(config: RunConfig, folder: Path) -> Task[Any]:
    """The task, read from its corpus, with the tokenizer that the run keeps. A DataError names the folder in which the
    run was started, for relative paths."""
    try:
        return config.task.with_files_of(folder).build()
    except DataError as error:
        where = read_environment(folder).get("folder")
        if where is not None and Path(where) != Path.cwd():
            error.hint = f"{error.hint}; the run was started in {where}".removeprefix("; ")
        raise


def check_data(facts: Mapping[str, Any], task: Task[Any], source: Path) -> None:
    """Raise DataError unless corpus and vocabulary are those recorded in `facts` of `source`."""
    now = {"data_sha256": task.data_sha256, "symbols_sha256": sha256_of(task.vocabulary())}
    changed = [name.removesuffix("_sha256") for name, digest in now.items() if facts.get(name, digest) != digest]
    if changed or "data_sha256" not in facts:
        raise DataError(
            f"the corpus of {source} is not the one it was trained on (other {' and '.join(changed)})",
            f"restore it; {MAY_DIFFER}: see the run's environment.json",
        )
