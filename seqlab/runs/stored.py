"""Find a stored run's checkpoint, and rebuild the trainer that wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqlab.checkpoints.retention import checkpoints_in, newest_whole, step_of
from seqlab.checkpoints.saving import load_checkpoint
from seqlab.checkpoints.trainer_state import Parts, restore
from seqlab.config.older import with_todays_names
from seqlab.config.run import RunConfig, read_run_config
from seqlab.errors import CheckpointError
from seqlab.runs.catalogue import differences, named_run
from seqlab.runs.device import decide, device_to_resume
from seqlab.runs.environment import fingerprint, recorded
from seqlab.runs.folder import find_run
from seqlab.runs.setup import describe_environment, make_trainer, prepare
from seqlab.runs.stored_task import build_task, check_data
from seqlab.training.trainer import Trainer
from seqlab.training.world import ALONE, World


def find_stored(run: str | Path) -> tuple[Path, Path | None]:
    """(the run's folder, the checkpoint if `run` names one)."""
    path = Path(run)
    if path.parent.name == "checkpoints" and not (path / "config.yaml").exists():
        step_of(path)
        folder = find_run(path.parent.parent)
        if not path.is_dir():
            names = ", ".join(checkpoint.name for checkpoint in checkpoints_in(path.parent)) or "none"
            raise CheckpointError(f"there is no checkpoint at {path}", "", f"there: {names}")
        return folder, path
    return named_run(str(run)), None


def checkpoint_of(folder: Path, named: Path | None) -> tuple[Path, Parts] | None:
    """The checkpoint to resume from; None if the run was stopped before its first."""
    if named is not None:
        return named, load_checkpoint(named)
    return newest_whole(folder / "checkpoints", load_checkpoint)


def step_in(found: tuple[Path, Parts]) -> int:
    """The step of a loaded checkpoint."""
    step: int = found[1][1]["progress"]["step"]
    return step


def origin_of(found: tuple[Path, Parts] | None, folder: Path, config_dir: Path | None) -> dict[str, Any]:
    """What the run was made from: as its checkpoint records it, else as its folder does."""
    told = {} if found is None else found[1][1].get("run")
    if not isinstance(told, dict):
        raise CheckpointError(f"{folder}: its checkpoint does not record what it was made from")
    if not told:
        stored, facts = read_run_config(folder / "config.yaml", config_dir), recorded(folder)
        told = {name: facts[name] for name in ("data_sha256", "symbols_sha256") if name in facts}
        told |= {"config": {"names": stored.names, **stored.tree}, "environment": fingerprint(facts)}
    tree = told.get("config")
    if not (isinstance(tree, dict) and all(isinstance(tree.get(part), dict) for part in ("optim", "trainer"))):
        raise CheckpointError(f"{folder}: its checkpoint's config is not that of a run")
    named = {part: with_todays_names(tree[part]) for part in ("model", "task") if isinstance(tree.get(part), dict)}
    return {**told, "config": {**tree, **named}}


def extended(folder: Path, config_dir: Path | None, overrides: Sequence[str], stored: Mapping[str, Any]) -> RunConfig:
    """The run's config with these overrides. The learning-rate schedule keeps its end: extending a run must not change
    what its past steps should have been."""
    path = folder / "config.yaml"
    config = read_run_config(path, config_dir, overrides)
    horizon = horizon_of(stored)
    if config.optim.horizon_steps is None and horizon not in (None, config.trainer.max_steps):
        config = read_run_config(path, config_dir, [*overrides, f"optim.horizon_steps={horizon}"])
    return config


def horizon_of(stored: Mapping[str, Any]) -> int | None:
    """The step at which the learning-rate schedule of a stored config ends."""
    horizon: int | None = stored["optim"].get("horizon_steps") or stored["trainer"].get("max_steps")
    return horizon


def trainer_at(
    folder: Path,
    config: RunConfig,
    found: tuple[Path, Parts] | None,
    origin: Mapping[str, Any],
    *,
    checked: bool = False,
    world: World = ALONE,
) -> Trainer[Any]:
    """A trainer in the state of the checkpoint, or at the start if there is none. Writes nothing. checked: as for
    setup.prepare. world: the processes that go on training, all of which call this."""
    settings, device = device_to_resume(config, origin, world)
    task = world.in_turn(lambda: build_task(config, folder))
    check_data(origin, task, folder)
    # a checkpoint already contains the weights taken from init_from
    start = config if found is None else replace(config, init_from=None)
    _, network = prepare(start, device, task, checked=checked)
    device, _ = decide(replace(config, device=settings), task, network, device)
    trainer = make_trainer(config, task, network, device, folder, describe_environment(task, device))
    if found is not None:
        restore(trainer, found[1], str(found[0]))
    return trainer


def moved(origin: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Differences of machine, versions and threads: (before, now) by name."""
    before = origin.get("environment")
    return (
        differences({"processes": 1, "sharding": "ddp", **before}, now["environment"])
        if isinstance(before, dict)
        else {}
    )
