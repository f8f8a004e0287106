"""`seqlab train`: from a RunConfig to a Result and a run folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from seqlab.checkpoints.retention import checkpoints_in, step_of
from seqlab.config.run import RunConfig
from seqlab.core.files import write_json, write_text
from seqlab.core.task import Task
from seqlab.drawing.numbers import described
from seqlab.errors import NumericError, SeqlabError
from seqlab.runs.code import keep_code
from seqlab.runs.device import decide
from seqlab.runs.environment import launch_facts
from seqlab.runs.faults import disk, log_file, memory, signals
from seqlab.runs.folder import make_run_folder, resume_command, write_items
from seqlab.runs.lock import locked
from seqlab.runs.reporter import Reporter
from seqlab.runs.result import Result, conclude, stored_result, task_warnings
from seqlab.runs.setup import budgets, count_parameters, describe_environment, make_trainer, prepare
from seqlab.runs.tracked import tracked
from seqlab.runs.vocabulary import keep_vocabulary
from seqlab.tracking.recorder import Recorder
from seqlab.tracking.tracker import Final
from seqlab.training.auto import note_compiled
from seqlab.training.context import shortened
from seqlab.training.device import Device, resolve_device
from seqlab.training.memory import is_out_of_memory
from seqlab.training.seeds import stream_seed
from seqlab.training.trainer import Trainer
from seqlab.training.validation_time import ValidationWatch
from seqlab.training.world import ALONE, World, launched

_log = logging.getLogger("seqlab")


def train(
    config: RunConfig,
    reporter: Reporter | None = None,
    *,
    overrides: Sequence[str] = (),
    name: str | None = None,
    folder: Path | None = None,
    checked: bool = False,
    world: World = ALONE,
) -> Result:
    """Train, evaluate the best weights, and write everything into a run folder.

    overrides: what the user typed, for overrides.txt. folder: the run's folder; by default a new one in runs_dir, named
    `name` or by the time. checked: the model's contracts have been checked already. world: the processes that train it
    together, all of which call this; only the first writes.

    Raises a SeqlabError for what a user can fix, and Interrupted once everything is saved.
    """
    reporter = reporter or Reporter()
    with world.watched():
        device = resolve_device(config.device, deterministic=config.deterministic, world=world)
        device = replace(device, precision=world.first(lambda: device.precision))  # their machines may be unlike
        task, network = prepare(config, device, checked=checked)
        device, reasons = decide(config, task, network, device, reporter)
        folder = world.first(lambda: _folder(config, name, folder))
    if world.rank:
        with world.watched(), memory():
            trainer = make_trainer(config, task, network, device, folder, describe_environment(task, device))
            if config.init_from is not None:
                trainer.save()
            return accompany(trainer, folder)
    with locked(folder), log_file(folder, reporter), world.watched(), disk(folder), memory():
        facts = describe_environment(task, device, reasons)
        write_text(folder / "overrides.txt", "".join(f"{text}\n" for text in overrides))
        facts["code"] = keep_code(config.tree, config.config_dir, folder)
        facts |= launch_facts()
        write_json(folder / "environment.json", facts)
        keep_vocabulary(task, folder)
        trainer = make_trainer(config, task, network, device, folder, facts)
        if config.init_from is not None:  # the run that it starts from may change
            trainer.save()
        # last: a folder with a config has all that is needed to resume
        write_text(folder / "config.yaml", config.yaml)
        return complete(trainer, config, folder, reporter, reasons=reasons)


def new_folder(config: RunConfig, name: str | None, folder: Path | None) -> Path:
    """A new folder for the run: `folder`, or one in runs_dir, named `name` or by the time. Raises what make_run_folder
    raises."""
    return make_run_folder(
        config.runs_dir / config.names["task"] / config.names["model"] if folder is None else folder.parent,
        f"{datetime.now():%Y%m%d-%H%M%S}-s{config.seed}",
        name if folder is None else folder.name,
    )


def _folder(config: RunConfig, name: str | None, folder: Path | None) -> Path:
    """The same; also one that a launcher has made, or that a killed process left behind before it held a run."""
    if folder is None or not launched() or (folder / "config.yaml").exists():
        return new_folder(config, name, folder)
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def accompany(trainer: Trainer[Any], folder: Path) -> Result:
    """`complete` for a process that is not the first of several: it trains with them, and writes nothing."""
    with signals(trainer):
        trainer.fit()
    trainer.world.first(lambda: None)  # the result is written
    return stored_result(folder)


def complete(
    trainer: Trainer[Any],
    config: RunConfig,
    folder: Path,
    reporter: Reporter,
    *,
    reasons: Sequence[str] = (),
) -> Result:
    """Train to the end, evaluate, and write the result. The logs of a resumed run exist already, up to the trainer's
    step. reasons: for what was chosen, to be shown."""
    task, network = trainer.task, trainer.network
    parameters = count_parameters(network)
    run = tracked(config, folder, task, parameters, trainer.progress.step)
    with (
        _kept(folder, config.config_dir),
        disk(folder),
        memory(),
        Recorder(run, config.logging) as recorder,
        reporter.training(config.trainer) as watching,
    ):
        trainer.observers = (recorder, *watching)
        if config.trainer.log_pictures and any(tracker.shows_pictures for tracker in config.logging.values()):
            from seqlab.insight.during import Gallery

            trainer.observers = (*trainer.observers, Gallery(trainer, recorder, config.seed))
        _introduce(reporter, config, task, trainer.device, parameters, folder)
        for place in recorder.places:
            reporter.say(place)
            _log.info("%s", place)
        if order := task.training_order(network):
            reporter.say(f"training reads {order}")
        for limit in shortened(network, task, config.model):
            reporter.say(limit)
            _log.info("%s", limit)
        for reason in reasons:
            reporter.say(reason)
            _log.info("%s", reason)
        if trainer.progress.step == 0:

            def note(text: str) -> None:
                reporter.say(f"note: {text}")
                _log.info("%s", text)

            for text in budgets(config, task, network):
                note(text)
            trainer.observers = (*trainer.observers, ValidationWatch(trainer, note))
        else:
            reporter.say(f"continuing from step {trainer.progress.step}")
        with signals(trainer), trainer.world.watched():
            trainer.fit()
            note_compiled(trainer)
            result = conclude(trainer, config, folder, parameters)
            sample, failure = _sample(trainer, config.seed)
            write_text(folder / "samples.txt", sample + "\n")
            final = Final(trainer.progress.step, result.validation, result.test, sample)
            recorder.finish(final, trainer.progress)
            write_items(folder, result.primary, result.item_values)
            write_json(folder / "result.json", result.as_json())
            trainer.world.first(lambda: None)  # the other processes may end
    if failure is not None:  # only now, so that the measured figures are kept
        raise failure
    for remark in result.remarks:
        _log.info("%s", remark)
    _log.info("finished: %s", ", ".join(f"test {name} {value:.5g}" for name, value in result.test.items()))
    return replace(result, sample=sample)


def _sample(trainer: Trainer[Any], seed: int) -> tuple[str, Exception | None]:
    """(the network's sample, an error in a task's own code). Errors that a resumed run may not have are raised."""
    try:
        return trainer.task.samples(trainer.network, stream_seed(seed, "sampling")), None
    except NumericError as error:
        _log.warning("%s", error.what)
        return "", None
    except SeqlabError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return "", error


@contextmanager
def _kept(folder: Path, config_dir: Path | None) -> Iterator[None]:
    """Add to an error what is saved and how to resume."""
    try:
        yield
    except SeqlabError as error:
        there = checkpoints_in(folder / "checkpoints")
        kept = f"kept step {step_of(there[-1])}" if there else "nothing was saved yet"
        error.allowed = f"{kept}; continue with: {resume_command(folder, config_dir)}"
        raise


def _introduce(
    reporter: Reporter, config: RunConfig, task: Task[Any], device: Device, parameters: int, folder: Path
) -> None:
    facts = ", ".join(f"{key}: {value}" for key, value in described(task.describe()).items())
    count = torch.get_num_threads()
    threads = f", {count} thread{'s' * (count > 1)}" if device.name == "cpu" else ""
    together = f"{device.world.size} processes, each " if device.world.size > 1 else ""
    reporter.say(
        f"{config.names['model']} on {config.names['task']}: {parameters:,} parameters, "
        f"{together}{device.name} {device.precision}{threads}{', compiled' if device.compile else ''}"
        f"{', with a shard of the network' if device.sharding == 'fsdp' else ''}"
    )
    reporter.say(facts)
    reporter.say(f"run: {folder}")
    _log.info("%s on %s, %d parameters; %s", config.names["model"], config.names["task"], parameters, facts)
    for warning in task_warnings(task):
        _log.warning("%s", warning)
