"""A run's vocabulary.json: what its network needs from the corpus, so that the run works without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seqlab.core.files import read_json, write_json
from seqlab.core.task import Task, TaskConfig
from seqlab.data.files import sha256_of
from seqlab.errors import CheckpointError

FILE = "vocabulary.json"
_MOST_BYTES = 2**30


def keep_vocabulary(task: Task[Any], folder: Path) -> None:
    """Write vocabulary.json, if the task offers one."""
    vocabulary = task.stored_vocabulary()
    if vocabulary is not None:
        write_json(folder / FILE, {"test_is_validation": task.test_is_validation, "vocabulary": dict(vocabulary)})


def restore_task(
    config: TaskConfig, folder: Path, facts: Mapping[str, Any], read: Callable[[], Task[Any]]
) -> Task[Any] | None:
    """A stored run's task with the vocabulary of training; `read` reads the corpus once something needs it. None if the
    run has no vocabulary.json, or its task does not support one.

    facts: the run's environment.json. Raises CheckpointError for a file that is damaged, or another run's.
    """
    path = folder / FILE
    remedy = "restore it, or delete it: the vocabulary is then made from the corpus again"
    try:
        stored = read_json(path, _MOST_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}", remedy) from error
    try:
        task = config.restore(stored["vocabulary"], read)
        if task is None:
            return None
        if facts.get("symbols_sha256") != sha256_of(task.vocabulary()):
            raise CheckpointError(f"{path} is not the vocabulary that the run was trained with", remedy)
        task.test_is_validation = bool(stored["test_is_validation"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error!r:.200}", remedy) from error
    if isinstance(digest := facts.get("data_sha256"), str):
        task.data_sha256 = digest
    return task
