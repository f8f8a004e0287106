"""A stored run with its best weights, ready to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.checkpoints.best import load_best
from seqlab.config.run import RunConfig, read_run_config
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.data.files import sha256_of
from seqlab.errors import DataError
from seqlab.runs.catalogue import named_run
from seqlab.runs.code import check_code
from seqlab.runs.environment import read_environment, recorded
from seqlab.runs.setup import new_network
from seqlab.runs.vocabulary import restore_task


@dataclass(frozen=True)
class Trained:
    """A stored run with its best weights, which are those of step `step`, on the CPU and ready to use."""

    folder: Path
    config: RunConfig
    task: Task[Any]
    network: Network[Any]
    step: int


def open_run(run: str | Path, config_dir: str | Path | None = None) -> Trained:
    """What a run's folder holds. Its task has the vocabulary that it was trained with, and reads its corpus when that
    is first needed: only then DataError says that it is gone or has changed (at once for a task that cannot be without
    it, and for a run that was stored before vocabularies were kept). Raises CheckpointError if `run` is no run, or
    where the code of the user's own that it was made with has changed.
    """
    folder, config_dir = named_run(str(run)), None if config_dir is None else Path(config_dir)
    check_code(folder, config_dir)
    config = read_run_config(folder / "config.yaml", config_dir)
    task = _stored_task(config, folder)
    network = new_network(config, task)
    step = load_best(network, folder / "checkpoints")
    return Trained(folder, config, task, network.eval(), step)


def load(run: str | Path, config_dir: str | Path | None = None) -> tuple[Network[Any], Task[Any]]:
    """A trained network, with its best weights and ready to use, and its task, from a run's folder.

    `run` may be a name, as on the command line: `last`, best:TASK, or what --name gave. `config_dir` is needed for a
    model or task of your own. Raises as open_run.
    """
    trained = open_run(run, config_dir)
    return trained.network, trained.task


def _stored_task(config: RunConfig, folder: Path) -> Task[Any]:
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
    """The task of a stored run. A DataError says where the run was started, from where relative paths count."""
    try:
        return config.task.build()
    except DataError as error:
        where = read_environment(folder).get("folder")
        if where is not None and Path(where) != Path.cwd():
            error.hint = f"{error.hint}; the run was started in {where}".removeprefix("; ")
        raise


def check_data(facts: Mapping[str, Any], task: Task[Any], source: Path) -> None:
    """Raise DataError unless the corpus and the vocabulary are those that `facts` of `source` tell of."""
    now = {"data_sha256": task.data_sha256, "symbols_sha256": sha256_of(task.vocabulary())}
    changed = [name.removesuffix("_sha256") for name, digest in now.items() if facts.get(name, digest) != digest]
    if changed or "data_sha256" not in facts:
        raise DataError(
            f"the corpus of {source} is not the one it was trained on (other {' and '.join(changed)})",
            "restore it; python_docs differs by Python version, cldr by Babel's: see the run's environment.json",
        )
