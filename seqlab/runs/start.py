"""Start or resume a run: in this process, in several that we launch (`device.processes=2`), or as one of several that
torchrun has launched."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from seqlab.config.overrides import merged
from seqlab.config.run import RunConfig, load_run_config, read_run_config
from seqlab.errors import ConfigError
from seqlab.runs.ended import VARIABLE
from seqlab.runs.environment import launch_facts, read_environment
from seqlab.runs.folder import read_overrides, read_result
from seqlab.runs.launch import launch
from seqlab.runs.reporter import Reporter
from seqlab.runs.result import Result, stored_result
from seqlab.runs.resume import Finished, resume
from seqlab.runs.stored import find_stored
from seqlab.runs.train import new_folder, train
from seqlab.training.device import check_places
from seqlab.training.world import ALONE, World, launched


def start(
    config: RunConfig,
    reporter: Reporter | None = None,
    *,
    overrides: Sequence[str] = (),
    name: str | None = None,
    folder: Path | None = None,
    checked: bool = False,
) -> Result:
    """Train in this process, or in as many as `device.processes` says. The arguments are those of train().

    In a process that a launcher has started, a run that it had begun before is resumed: after a kill the launcher
    starts all processes again, and a cluster the whole job. Raises what train() raises."""
    if launched():
        return _start_launched(config, reporter, overrides, name, folder, checked)
    if config.device.processes == 1:
        return train(config, reporter, overrides=overrides, name=name, folder=folder, checked=checked)
    check_places(config.device, config.device.processes)
    folder = new_folder(config, name, folder)
    try:
        words = ["train", *overrides, "--folder", str(folder), *_quietly(reporter)]
        launch(words, config.device.processes, folder, config.config_dir)
    finally:
        with suppress(OSError):  # only if nothing was written
            folder.rmdir()
    return stored_result(folder)


def go_on(
    run: str | Path,
    overrides: Sequence[str],
    reporter: Reporter | None = None,
    *,
    config_dir: Path | None = None,
    checked: bool = False,
) -> Result | Finished:
    """Resume a run in this process, or in as many as `device.processes` says. The arguments are those of resume()."""
    if launched():
        world = _joined(reporter)
        folder, named = world.first(lambda: find_stored(run))
        # started again: it has made new checkpoints since
        start_at = folder if named is None or os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0" else named
        return _resume_launched(start_at, folder, overrides, reporter, config_dir, checked, world)
    folder, named = find_stored(run)
    config = read_run_config(folder / "config.yaml", config_dir, overrides)
    finished = named is None and not overrides and read_result(folder) is not None
    if config.device.processes == 1 or finished:
        return resume(run, overrides, reporter, config_dir=config_dir, checked=checked)
    check_places(config.device, config.device.processes)
    words = ["resume", str(named or folder), *overrides, *_quietly(reporter)]
    launch(words, config.device.processes, folder, config_dir)
    return stored_result(folder)


def _quietly(reporter: Reporter | None) -> list[str]:
    """The option of the command that each process runs which keeps it as quiet as this one."""
    return ["--quiet"] if reporter is None or reporter.quiet else []


def _start_launched(
    config: RunConfig,
    reporter: Reporter | None,
    overrides: Sequence[str],
    name: str | None,
    folder: Path | None,
    checked: bool,
) -> Result:
    world = _joined(reporter)
    words = [word for word in overrides if not word.startswith("device.processes=")]
    if config.device.processes != world.size:
        if len(words) < len(overrides):
            raise ConfigError(
                f"device.processes={config.device.processes}, and the launcher has started {world.size} processes",
                "leave device.processes out",
            )
        overrides = list(merged(list(overrides), [f"device.processes={world.size}"]))
        config = load_run_config(list(overrides), config.config_dir)
    begun = world.first(lambda: _begun(config, overrides, folder))
    if begun is None:
        return train(config, reporter, overrides=overrides, name=name, folder=folder, checked=checked, world=world)
    found = _resume_launched(begun, begun, (), reporter, config.config_dir, checked, world)
    return stored_result(found.folder) if isinstance(found, Finished) else found


def _resume_launched(
    run: Path,
    folder: Path,
    overrides: Sequence[str],
    reporter: Reporter | None,
    config_dir: Path | None,
    checked: bool,
    world: World,
) -> Result | Finished:
    stored = read_run_config(folder / "config.yaml", config_dir, overrides).device.processes
    given = [*overrides, *([f"device.processes={world.size}"] if stored != world.size else [])]
    return resume(run, given, reporter, config_dir=config_dir, checked=checked, world=world)


def _joined(reporter: Reporter | None) -> World:
    """The processes of this run, once all of them are there."""
    if os.environ["WORLD_SIZE"] == "1":
        return ALONE
    from seqlab.training.distributed import join

    _end_with_launcher()
    world = join()
    if world.rank == 0 and reporter is not None and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0":
        reporter.warn("a process of the run was lost: all of them start again from the last checkpoint")
    return world


def _begun(config: RunConfig, overrides: Sequence[str], folder: Path | None) -> Path | None:
    """The run that this launch has begun before: the one in `folder`, or else the one that recorded the launch."""
    if folder is not None:
        if not (folder / "config.yaml").is_file():
            return None
        if read_overrides(folder) != list(overrides):
            raise ConfigError(f"--folder {folder}: a run with other settings is there", "choose another folder")
        return folder
    this = launch_facts().get("launch")
    runs = sorted((config.runs_dir / config.names["task"] / config.names["model"]).glob("*/config.yaml"))
    for run in (path.parent for path in reversed(runs)):
        if this and read_environment(run).get("launch") == this and read_overrides(run) == list(overrides):
            return run
    return None


def _end_with_launcher() -> None:
    """Have Linux send this process SIGTERM, on which it saves, when our launcher is killed."""
    if VARIABLE in os.environ and sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
