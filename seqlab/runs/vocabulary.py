"""A run's vocabulary.json: what its network needs from the corpus, so that the run works without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seqlab.core.files import read_json, read_plain, write_json, write_text
from seqlab.core.task import StoredText, Task, TaskConfig
from seqlab.data.files import sha256_of
from seqlab.errors import CheckpointError

FILE = "vocabulary.json"
_MOST_BYTES = 2**30


def keep_vocabulary(task: Task[Any], folder: Path) -> None:
    """Write vocabulary.json, if the task offers one."""
    vocabulary = task.stored_vocabulary()
    if vocabulary is None:
        return
    texts = {key: value for key, value in vocabulary.items() if isinstance(value, StoredText)}
    for value in texts.values():
        write_text(folder / value.name, value.text)
    files = {key: {"file": value.name, "sha256": sha256_of([value.text])} for key, value in texts.items()}
    plain = {key: value for key, value in vocabulary.items() if key not in texts}
    write_json(
        folder / FILE,
        {
            "test_is_validation": task.test_is_validation,
            "vocabulary": plain,
            **({"files": files} if files else {}),
        },
    )


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
        task = config.restore({**stored["vocabulary"], **_texts(folder, stored.get("files", {}))}, read)
        if task is None:
            return None
        if facts.get("symbols_sha256") != sha256_of(task.vocabulary()):
            raise CheckpointError(f"{path} is not the vocabulary that the run was trained with", remedy)
        task.test_is_validation = bool(stored["test_is_validation"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error!r:.200}", remedy) from error
    except OSError as error:
        raise CheckpointError(f"{error.filename} cannot be read: {error.strerror}", remedy) from error
    if isinstance(digest := facts.get("data_sha256"), str):
        task.data_sha256 = digest
    return task


def _texts(folder: Path, files: Mapping[str, Mapping[str, str]]) -> dict[str, StoredText]:
    """The values that stand in files of their own. Raises ValueError for one that is not as it was stored."""
    found = {}
    for key, entry in files.items():
        name = Path(entry["file"]).name
        text = read_plain(folder / name, _MOST_BYTES).decode("utf-8")
        if sha256_of([text]) != entry["sha256"]:
            raise ValueError(f"{name} is not the file that was stored")
        found[key] = StoredText(name, text)
    return found
