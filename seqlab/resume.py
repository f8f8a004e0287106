"""`seqlab resume`: go on with a run as if it had never stopped, or show that this is so."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from rich.console import Console

from seqlab.config.run import RunConfig, read_run_config
from seqlab.errors import CheckpointError, ConfigError
from seqlab.experiment import (
    Result,
    build_task,
    check_data,
    complete,
    describe_environment,
    make_trainer,
    prepare,
    recorded,
)
from seqlab.faults import disk, log_file, memory
from seqlab.lock import locked
from seqlab.run_folder import (
    find_run,
    fingerprint,
    read_environment,
    read_overrides,
    read_result,
    write_json,
    write_text,
)
from seqlab.runs import differences, flat
from seqlab.training.checkpoint import sweep
from seqlab.training.device import Device, resolve_device
from seqlab.training.retention import newest_whole, set_aside, snapshots, step_of
from seqlab.training.rewind import rewind_logs
from seqlab.training.snapshot import Parts, capture, load_parts, restore
from seqlab.training.trainer import Trainer

_log = logging.getLogger("seqlab")
_BUDGETS = ("trainer.max_steps", "trainer.max_epochs", "trainer.max_seconds")
# what may differ from the run that is resumed: when it ends, how often it saves, and, with a warning, where it runs
_FREE = (*_BUDGETS, "trainer.patience", "trainer.save_every_steps", "trainer.save_every_seconds", "runs_dir")
# where it runs; anything but this machine, these versions and this many threads may round differently
_PLACE = ("device.type", "device.precision", "device.threads", "device.compile")


@dataclass(frozen=True)
class Finished:
    """A run that has nothing left to do. more: an override that would give it more to do."""

    folder: Path
    step: int
    more: str


def resume(
    run: str | Path,
    overrides: Sequence[str],
    console: Console,
    *,
    config_dir: Path | None = None,
    quiet: bool = False,
) -> Result | Finished:
    """Go on with `run`, a run's folder or one of its checkpoints, from its newest checkpoint or from that one.

    A damaged newest checkpoint is passed over with a warning; one that is named never is. `overrides` may extend the
    run. Raises CheckpointError for a change of anything else, DataError for another corpus.
    """
    folder, named = _find(run)
    with locked(folder), log_file(folder, console), memory():
        with disk(folder):
            sweep(folder / "checkpoints")
        found = _checkpoint(folder, named)
        origin = _origin(found, folder, config_dir)
        config = _extended(folder, config_dir, overrides, origin["config"])
        changed = _changes(origin["config"], config)
        finished = read_result(folder) is not None
        if finished and found is None:
            raise CheckpointError(f"{folder} has a result and no checkpoints", "there is nothing left to go on from")
        if finished and found is not None and named is None and not changed:
            return Finished(folder, _step(found), _more(config, found[1][1]["progress"]))
        _refuse(changed, config, 0 if found is None else _step(found))
        trainer = _trainer(folder, config, found, origin)
        # nothing above has touched the run; from here on it is under way again
        with disk(folder):
            _note(origin, trainer, folder)
            if changed:
                keys = {text.partition("=")[0] for text in overrides}
                kept = [text for text in read_overrides(folder) if text.partition("=")[0] not in keys]
                write_text(folder / "overrides.txt", "".join(f"{text}\n" for text in (*kept, *overrides)))
            write_text(folder / "config.yaml", config.yaml)
            (folder / "result.json").unlink(missing_ok=True)
            set_aside(folder / "checkpoints", trainer.progress.step)
            progress = None if found is None else trainer.progress
            rewind_logs(folder, progress, open_interval=trainer.interval.targets > 0)
        return complete(trainer, config, folder, console, quiet=quiet, resumed=True)


def verify(run: str | Path, console: Console, *, config_dir: Path | None = None) -> tuple[int, int]:
    """Train once more from the last checkpoint but one (or from the start) to the last one, and compare every bit.

    Returns the two steps. Raises CheckpointError, with what differs, if the bits are not the same. Writes nothing.
    """
    folder, named = _find(run)
    with locked(folder), memory():
        there = snapshots(folder / "checkpoints")
        last = there[-1] if named is None and there else named
        if last is None:
            raise CheckpointError(f"{folder} has no checkpoint yet", "there is nothing to verify")
        expected = load_parts(last)
        earlier = [checkpoint for checkpoint in there if step_of(checkpoint) < step_of(last)]
        found = (earlier[-1], load_parts(earlier[-1])) if earlier else None
        origin = _origin((last, expected), folder, config_dir)
        config = _extended(folder, config_dir, (), origin["config"])
        trainer = _trainer(folder, config, found, origin)
        trainer.folder = None
        for key, (before, here) in _moved(origin, trainer.origin).items():
            console.print(f"warning: {key} was {before}, is {here}", markup=False, highlight=False, soft_wrap=True)
        start, end = trainer.progress.step, expected[1]["progress"]["step"]
        trainer.replay(end, evaluated=expected[1]["progress"]["evaluated_step"] == end)
        progress = expected[1]["progress"]
        if (progress.get("epoch"), progress.get("windows")) == (trainer.progress.epoch + 1, 0):
            # a run that ended with an epoch has looked for the next one
            trainer.progress.epoch, trainer.progress.windows = trainer.progress.epoch + 1, 0
        different = _differences(expected, capture(trainer))
        if different:
            raise CheckpointError(
                f"training again from step {start} to {end} gives other bits in {len(different)} places, "
                f"first {different[0]}",
                "another machine, version or thread count rounds differently; so does device=cuda without "
                "deterministic=true",
            )
        return start, end


def _find(run: str | Path) -> tuple[Path, Path | None]:
    """(the run's folder, the checkpoint that was named, if one was)."""
    path = Path(run)
    if path.parent.name == "checkpoints" and not (path / "config.yaml").exists():
        step_of(path)
        folder = find_run(path.parent.parent)
        if not path.is_dir():
            names = ", ".join(checkpoint.name for checkpoint in snapshots(path.parent)) or "none"
            raise CheckpointError(f"there is no checkpoint at {path}", "", f"there: {names}")
        return folder, path
    return find_run(path), None


def _checkpoint(folder: Path, named: Path | None) -> tuple[Path, Parts] | None:
    """The one to go on from; None where the run was stopped before its first."""
    if named is not None:
        return named, load_parts(named)
    return newest_whole(folder / "checkpoints", load_parts)


def _step(found: tuple[Path, Parts]) -> int:
    step: int = found[1][1]["progress"]["step"]
    return step


def _origin(found: tuple[Path, Parts] | None, folder: Path, config_dir: Path | None) -> dict[str, Any]:
    """What the checkpoint was made from; where there is none, or one that does not say (format 1), what the run's
    folder says."""
    told = {} if found is None else found[1][1].get("run")
    if not isinstance(told, dict):
        raise CheckpointError(f"{folder}: its checkpoint does not say what it was made from")
    if not told:
        stored, facts = read_run_config(folder / "config.yaml", config_dir), recorded(folder)
        told = {name: facts[name] for name in ("data_sha256", "symbols_sha256") if name in facts}
        told |= {"config": {"names": stored.names, **stored.tree}, "environment": fingerprint(facts)}
    tree = told.get("config")
    if not (isinstance(tree, dict) and all(isinstance(tree.get(part), dict) for part in ("optim", "trainer"))):
        raise CheckpointError(f"{folder}: its checkpoint's config is not that of a run")
    return told


def _extended(folder: Path, config_dir: Path | None, overrides: Sequence[str], stored: Mapping[str, Any]) -> RunConfig:
    """The run's config with these overrides. The learning rate's schedule keeps its end: extending a run must not
    change what the steps already made should have been."""
    path = folder / "config.yaml"
    config = read_run_config(path, config_dir, overrides)
    horizon = _horizon(stored)
    if config.optim.horizon_steps is None and horizon not in (None, config.trainer.max_steps):
        config = read_run_config(path, config_dir, [*overrides, f"optim.horizon_steps={horizon}"])
    return config


def _horizon(stored: Mapping[str, Any]) -> int | None:
    horizon: int | None = stored["optim"].get("horizon_steps") or stored["trainer"].get("max_steps")
    return horizon


def _changes(stored: Mapping[str, Any], config: RunConfig) -> dict[str, tuple[Any, Any]]:
    """The settings in which this start differs from the checkpoint's, old and new. A setting that did not exist then
    is no difference, nor is a horizon that is spelled out."""
    found = differences(stored, {"names": config.names, **config.tree})
    known = flat(stored)
    found = {key: values for key, values in found.items() if key in known}
    if found.get("optim.horizon_steps", (None, None))[1] == _horizon(stored):
        found.pop("optim.horizon_steps", None)
    return found


def _refuse(changed: Mapping[str, tuple[Any, Any]], config: RunConfig, done: int) -> None:
    """Raise CheckpointError for a change that would make another run of it."""
    refused = {key: values for key, values in changed.items() if key not in (*_FREE, *_PLACE)}
    if refused:
        shown = "; ".join(f"{key} from {old} to {new}" for key, (old, new) in list(refused.items())[:6])
        raise CheckpointError(
            f"a resumed run cannot change {shown[:600]}",
            "leave that as it was (in config.yaml too), or start another run from its weights: init_from=RUN",
            f"may change: {', '.join((*_FREE, *_PLACE))}",
        )
    limit = config.trainer.max_steps
    if limit is not None and limit < done:
        raise ConfigError(
            f"trainer.max_steps={limit}: the run has made {done} steps already", f"try trainer.max_steps={2 * done}"
        )


def _trainer(
    folder: Path,
    config: RunConfig,
    found: tuple[Path, Parts] | None,
    origin: Mapping[str, Any],
) -> Trainer[Any]:
    """A trainer that stands where the checkpoint was written, or at the start. Writes nothing."""
    device = _device(config, origin)
    task = build_task(config, folder)
    check_data(origin, task, folder)
    # a checkpoint holds the weights that the run it was started from gave it
    _, network = prepare(config if found is None else replace(config, init_from=None), device, task)
    trainer = make_trainer(config, task, network, device, folder, describe_environment(task, device))
    if found is not None:
        restore(trainer, found[1], str(found[0]))
    return trainer


def _device(config: RunConfig, origin: Mapping[str, Any]) -> Device:
    """What `auto` chose, and how many threads there were, is part of the run, unless it was set since."""
    before, stored = origin.get("environment"), origin["config"].get("device")
    kept: dict[str, Any] = {}
    if isinstance(before, dict) and isinstance(stored, dict):
        for key, name in {"type": "device", "precision": "precision", "threads": "threads"}.items():
            if before.get(name) is not None and getattr(config.device, key) == stored.get(key):
                kept[key] = before[name]
    try:
        return resolve_device(replace(config.device, **kept), deterministic=config.deterministic)
    except ValidationError as error:
        raise CheckpointError(f"the checkpoint names no device that there can be: {kept}") from error
    except ConfigError as error:
        error.hint = "try device.type=cpu device.precision=fp32, which is not bit-exact"
        raise


def _more(config: RunConfig, progress: Mapping[str, Any]) -> str:
    """An override that raises the budget which ended a run."""
    limit = config.trainer
    if limit.max_steps is not None and progress["step"] >= limit.max_steps:
        return f"trainer.max_steps={2 * progress['step']}"
    if limit.max_epochs is not None and progress["epoch"] >= limit.max_epochs:
        return f"trainer.max_epochs={2 * progress['epoch']}"
    if limit.max_seconds is not None and progress["seconds"] >= limit.max_seconds:
        return f"trainer.max_seconds={math.ceil(2 * progress['seconds'])}"
    return "trainer.patience=null"


def _moved(origin: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """In what the machine, its versions and its threads are not what they were."""
    before = origin.get("environment")
    return differences(before, now["environment"]) if isinstance(before, dict) else {}


def _note(origin: Mapping[str, Any], trainer: Trainer[Any], folder: Path) -> None:
    """Warn where the machine is not what it was, and write down that the run was resumed."""
    moved = _moved(origin, trainer.origin)
    if moved:
        shown = "; ".join(f"{key} was {before}, is {now}" for key, (before, now) in moved.items())
        _log.warning("not bit-exact from step %d on: %s", trainer.progress.step, shown)
    facts = read_environment(folder)
    if "data_sha256" not in facts:  # lost or damaged
        facts = describe_environment(trainer.task, trainer.device)
    entry = {
        "step": trainer.progress.step,
        "time": f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}",
        "changed": {key: list(values) for key, values in moved.items()},
    }
    earlier = facts.get("resumed", [])
    facts = {**facts, "resumed": [*(earlier if isinstance(earlier, list) else []), entry]}
    try:
        write_json(folder / "environment.json", facts)
    except (ValueError, RecursionError):  # what no JSON can say stood in it
        write_json(
            folder / "environment.json", {**describe_environment(trainer.task, trainer.device), "resumed": [entry]}
        )


def _differences(expected: Parts, got: Parts) -> list[str]:
    """Names of what is not the same bit for bit; how long it took does not count."""
    (tensors, state), (own_tensors, own) = expected, got
    found = [
        name
        for name in sorted(tensors.keys() | own_tensors.keys())
        if name not in tensors or name not in own_tensors or not _same(tensors[name], own_tensors[name].cpu())
    ]
    keys = ["progress", "optimizer", "scaler", "carried", "random"]
    if state["interval"]["targets"]:  # at its end a run logs what was left of its last interval
        keys.append("interval")
    left, right = ({key: side[key] for key in keys} for side in (state, own))
    timed = ("progress.seconds", "interval.seconds")
    return found + [key for key in differences(_plain(left), _plain(right)) if key not in timed]


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal bits, also of nan."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return torch.equal(*(t.contiguous().view(-1).view(torch.uint8) for t in (a, b)))


def _plain(state: Any) -> Any:
    """As JSON gives it back: lists for tuples, words for keys."""
    if isinstance(state, Mapping):
        return {str(key): _plain(value) for key, value in state.items()}
    return [_plain(value) for value in state] if isinstance(state, list | tuple) else state
