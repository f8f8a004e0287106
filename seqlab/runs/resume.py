"""`seqlab resume`: continue a run as if it had never stopped."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from seqlab.checkpoints.files import sweep
from seqlab.checkpoints.retention import set_aside
from seqlab.config.overrides import is_logging, key_of, merged, spelled
from seqlab.config.run import RunConfig, check_trackers, with_trackers
from seqlab.core.files import write_json, write_text
from seqlab.errors import CheckpointError, ConfigError
from seqlab.runs.catalogue import differences, flat
from seqlab.runs.code import check_code, recorded_code
from seqlab.runs.environment import read_environment
from seqlab.runs.faults import disk, log_file, memory
from seqlab.runs.folder import read_overrides, read_result
from seqlab.runs.lock import locked
from seqlab.runs.reporter import Reporter
from seqlab.runs.result import Result
from seqlab.runs.rewind import rewind_logs
from seqlab.runs.setup import describe_environment
from seqlab.runs.stored import checkpoint_of, extended, find_stored, horizon_of, moved, origin_of, step_in, trainer_at
from seqlab.runs.train import accompany, complete
from seqlab.runs.vocabulary import keep_vocabulary
from seqlab.training.trainer import Trainer
from seqlab.training.world import ALONE, World

_log = logging.getLogger("seqlab")
# what may differ from the run that is resumed: when it ends, how often it saves, the lengths at which its result is
# evaluated too, and, with a warning, where it runs
_FREE = (
    "trainer.max_steps", "trainer.max_epochs", "trainer.max_seconds", "trainer.patience", "trainer.save_every_steps",
    "trainer.save_every_seconds", "trainer.log_pictures", "task.eval_lengths", "runs_dir",
)  # fmt: skip
# where it runs; anything but this machine, these versions and this many threads may round differently
_PLACE = (
    "device.type", "device.precision", "device.threads", "device.compile", "device.processes", "device.sharding",
)  # fmt: skip


@dataclass(frozen=True)
class Finished:
    """A run that is already finished. more: an override that would extend it."""

    folder: Path
    step: int
    more: str


def resume(
    run: str | Path,
    overrides: Sequence[str],
    reporter: Reporter | None = None,
    *,
    config_dir: Path | None = None,
    checked: bool = False,
    world: World = ALONE,
) -> Result | Finished:
    """Resume `run`, a run's folder or one of its checkpoints, from the newest checkpoint or from that one.

    A damaged newest checkpoint is skipped with a warning; a named one never is. `overrides` may extend the run, and
    choose its trackers anew. `checked`: the contracts have been checked already. `world`: the processes that go on
    together, all of which call this; only the first writes. Raises CheckpointError for a change of anything else,
    DataError for another corpus.
    """
    reporter = reporter or Reporter()
    folder, named = find_stored(run)
    with _first(world, folder, reporter), world.watched(), memory():
        if world.rank == 0:
            with disk(folder):
                sweep(folder / "checkpoints")
        found = world.first(lambda: checkpoint_of(folder, named))
        check_code(folder, config_dir)
        origin = origin_of(found, folder, config_dir)
        chosen = any(key_of(word) == "logging" for word in overrides)  # anew, as for a new run
        trackers = [word for word in overrides if chosen and is_logging(word)]
        config = extended(folder, config_dir, [word for word in overrides if word not in trackers], origin["config"])
        if trackers:
            config = with_trackers(config, trackers)
        changed = _changes(origin["config"], config)
        finished = world.first(lambda: read_result(folder) is not None)
        if finished and found is None:
            raise CheckpointError(f"{folder} has a result and no checkpoints", "there is nothing to resume from")
        if finished and found is not None and named is None and not changed:
            return Finished(folder, step_in(found), _more(config, found[1][1]["progress"]))
        world.first(lambda: check_trackers(config))
        _refuse(changed, config, 0 if found is None else step_in(found))
        trainer = trainer_at(folder, config, found, origin, checked=checked, world=world)
        if world.rank:
            return accompany(trainer, folder)
        # nothing above has touched the run; from here on it is under way again
        with disk(folder):
            _note(origin, trainer, folder)
            keep_vocabulary(trainer.task, folder)  # a run from before they were stored has none
            if changed or any(map(is_logging, overrides)):
                kept = [word for word in read_overrides(folder) if not (chosen and is_logging(word))]
                write_text(folder / "overrides.txt", "".join(f"{word}\n" for word in merged(kept, overrides)))
            write_text(folder / "config.yaml", config.yaml)
            (folder / "result.json").unlink(missing_ok=True)
            set_aside(folder / "checkpoints", trainer.progress.step)
            progress = None if found is None else trainer.progress
            open_interval = trainer.outcomes.interval.targets > 0
            rewind_logs(folder, progress, config.logging.values(), open_interval=open_interval)
        return complete(trainer, config, folder, reporter)


@contextmanager
def _first(world: World, folder: Path, reporter: Reporter) -> Iterator[None]:
    """The lock and the log, which of several processes belong to the first."""
    if world.rank:
        yield
        return
    with locked(folder), log_file(folder, reporter):
        yield


def _changes(stored: Mapping[str, Any], config: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Settings that differ from the checkpoint's: (old, new) by key. A setting that did not exist then does not count,
    nor does a horizon that is now written out."""
    found = differences(stored, {"names": config.names, **config.tree})
    known = flat(stored)
    # where its curves go makes no other run
    found = {
        key: values for key, values in found.items() if key in known and not is_logging(key.removeprefix("names."))
    }
    if found.get("optim.horizon_steps", (None, None))[1] == horizon_of(stored):
        found.pop("optim.horizon_steps", None)
    return found


def _refuse(changed: Mapping[str, tuple[Any, Any]], config: RunConfig, done: int) -> None:
    """Raise CheckpointError for a change that would make it a different run."""
    refused = {key: values for key, values in changed.items() if key not in (*_FREE, *_PLACE)}
    if refused:
        some = list(refused.items())[:6]
        shown = "; ".join(f"{key} from {spelled(old)} to {spelled(new)}" for key, (old, new) in some)
        raise CheckpointError(
            f"a resumed run cannot change {shown[:600]}",
            "leave that as it was (in config.yaml too), or start another run from its weights: init_from=RUN",
            f"may change: {', '.join((*_FREE, *_PLACE, 'logging'))}",
        )
    limit = config.trainer.max_steps
    if limit is not None and limit < done:
        raise ConfigError(
            f"trainer.max_steps={limit}: the run has made {done} steps already", f"try trainer.max_steps={2 * done}"
        )


def _more(config: RunConfig, progress: Mapping[str, Any]) -> str:
    """An override that raises the exhausted budget of a run."""
    limit = config.trainer
    if limit.max_steps is not None and progress["step"] >= limit.max_steps:
        return f"trainer.max_steps={2 * progress['step']}"
    if limit.max_epochs is not None and progress["epoch"] >= limit.max_epochs:
        return f"trainer.max_epochs={2 * progress['epoch']}"
    if limit.max_seconds is not None and progress["seconds"] >= limit.max_seconds:
        return f"trainer.max_seconds={math.ceil(2 * progress['seconds'])}"
    return "trainer.patience=null"


def _note(origin: Mapping[str, Any], trainer: Trainer[Any], folder: Path) -> None:
    """Warn if the machine has changed, and record that the run was resumed."""
    changed = moved(origin, trainer.origin)
    if changed:
        shown = "; ".join(f"{key} was {before}, is {now}" for key, (before, now) in changed.items())
        _log.warning("not bit-exact from step %d on: %s", trainer.progress.step, shown)
    facts, code = read_environment(folder), {"code": recorded_code(folder) or {}}
    if "data_sha256" not in facts:  # lost or damaged
        facts = describe_environment(trainer.task, trainer.device) | code
    entry = {
        "step": trainer.progress.step,
        "time": f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}",
        "changed": {key: list(values) for key, values in changed.items()},
    }
    earlier = facts.get("resumed", [])
    facts = {**facts, "resumed": [*(earlier if isinstance(earlier, list) else []), entry]}
    try:
        write_json(folder / "environment.json", facts)
    except (ValueError, RecursionError):  # it held values that JSON cannot hold
        fresh = describe_environment(trainer.task, trainer.device) | code
        write_json(folder / "environment.json", {**fresh, "resumed": [entry]})
