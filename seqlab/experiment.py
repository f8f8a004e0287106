"""From a RunConfig to a Result: the one place where task, network, optimizer and trainer are put together."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from seqlab.config.run import RunConfig, read_run_config
from seqlab.contracts.check import check_before_training
from seqlab.data.files import sha256_of
from seqlab.display import Display, described
from seqlab.errors import CheckpointError, DataError, NumericError, SeqlabError
from seqlab.faults import disk, log_file, memory, signals
from seqlab.interfaces import Meter, Metric, Network, Task
from seqlab.lock import locked
from seqlab.metrics import kinds
from seqlab.run_code import check_code, keep_code
from seqlab.run_folder import (
    environment,
    fingerprint,
    make_run_folder,
    read_environment,
    resume_command,
    write_items,
    write_json,
    write_text,
)
from seqlab.run_vocabulary import keep_vocabulary, restore_task
from seqlab.runs import named_run
from seqlab.training.auto import choose, left_open, note_compiled
from seqlab.training.budgets import ValidationWatch, budget_notes, cut_note
from seqlab.training.context import check_context, narrow, shortened
from seqlab.training.device import Device, is_out_of_memory, resolve_device, without_slow_parts
from seqlab.training.recorder import Recorder, finite
from seqlab.training.remarks import still_improving, validations, worse_than_chance
from seqlab.training.retention import snapshots, step_of
from seqlab.training.seeds import random_states, seed_global_generators, set_random_states, stream_seed
from seqlab.training.snapshot import load_best
from seqlab.training.trainer import Trainer
from seqlab.training.windows import steps_in

_log = logging.getLogger("seqlab")
_SAME = (
    "test = validation: the corpus has no test split of its own, so that its test figures are those of the split "
    "that chose the weights"
)
_NOT_PLAIN = ("metrics", "remarks", "item_values", "sample")  # of a Result


@dataclass(frozen=True)
class Result:
    """What a run came to; result.json holds the same. remarks: those of the warnings that belong beside the figures;
    the others are about the data, and were said before training."""

    folder: Path
    task: str
    model: str
    seed: int
    parameters: int
    steps: int
    tokens: int
    seconds: float
    tokens_per_second: float
    peak_memory_bytes: int
    best_step: int
    primary: str
    criterion: tuple[str, ...]
    validation: dict[str, float]
    test: dict[str, float]
    test_interval: tuple[float, float]
    details: dict[str, Any]
    device: str
    precision: str
    metrics: dict[str, Metric]
    warnings: tuple[str, ...]
    remarks: tuple[str, ...]
    test_is_validation: bool
    item_values: tuple[float, ...]
    sample: str

    def as_json(self) -> dict[str, Any]:
        """Plain values, as result.json and --json give them."""
        plain = {key: value for key, value in vars(self).items() if key not in _NOT_PLAIN}
        plain_values: dict[str, Any] = finite({**plain, "folder": str(self.folder), "metrics": kinds(self.metrics)})
        return plain_values


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers, a tied weight once."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def task_warnings(task: Task[Any]) -> tuple[str, ...]:
    """What makes a task's figures mean less than they seem to: what it says itself, and what shows in its splits."""
    return (*([_SAME] if task.test_is_validation else []), *task.warnings())


def budgets(config: RunConfig, task: Task[Any], network: Network[Any]) -> list[str]:
    """What in a run's budgets may surprise, as far as it is known before training."""
    given = config.trainer

    def steps(epochs: int) -> int:
        return steps_in(epochs, task, network, given.bptt_steps, given.accumulate)

    cut = cut_note(given, task.longest())
    return [*budget_notes(given, config.optim, steps), *([cut] if cut else [])]


def new_network(config: RunConfig, task: Task[Any]) -> Network[Any]:
    """A network for the task that is never evaluated beyond the positions that training reaches."""
    network = task.build_network(config.model)
    narrow(network, task, config.trainer.bptt_steps)
    return network


def build_network(config: RunConfig, task: Task[Any], device: Device) -> Network[Any]:
    """A network initialised by the seed's own stream, on the device."""
    seed_global_generators(config.seed, "initialisation")
    network = new_network(config, task)
    if config.init_from is not None:
        folder = named_run(config.init_from, config.runs_dir)
        _check_symbols(folder, task)
        load_best(network, folder / "checkpoints")
    network.to(device.torch_device)
    # the global generators belong to dropout alone from here on
    seed_global_generators(config.seed, "dropout")
    return network


def train(
    config: RunConfig,
    console: Console,
    *,
    overrides: Sequence[str] = (),
    name: str | None = None,
    folder: Path | None = None,
    quiet: bool = False,
    checked: bool = False,
) -> Result:
    """Train, evaluate with the best weights, and leave a run folder behind: `folder`, or one in runs_dir that is
    called `name` or by the time. `overrides` are what the user typed, for overrides.txt. `checked`: somebody has held
    this model to its promises already.

    Raises a SeqlabError for whatever a user can mend; Interrupted once everything is saved.
    """
    device = resolve_device(config.device, deterministic=config.deterministic)
    task, network = prepare(config, device, checked=checked)
    device, reasons = decide(config, task, network, device, None if quiet else console)
    folder = make_run_folder(
        config.runs_dir / config.names["task"] / config.names["model"] if folder is None else folder.parent,
        f"{datetime.now():%Y%m%d-%H%M%S}-s{config.seed}",
        name if folder is None else folder.name,
    )
    with locked(folder), log_file(folder, console), disk(folder), memory():
        facts = describe_environment(task, device, reasons)
        write_text(folder / "overrides.txt", "".join(f"{text}\n" for text in overrides))
        facts["code"] = keep_code(config.tree, config.config_dir, folder)
        write_json(folder / "environment.json", facts)
        keep_vocabulary(task, folder)
        trainer = make_trainer(config, task, network, device, folder, facts)
        if config.init_from is not None:  # what it starts from may be another's tomorrow
            trainer.save()
        # last: a folder with a config has all that it takes to go on
        write_text(folder / "config.yaml", config.yaml)
        return complete(trainer, config, folder, console, quiet=quiet, reasons=reasons)


def decide(
    config: RunConfig, task: Task[Any], network: Network[Any], device: Device, console: Console | None = None
) -> tuple[Device, tuple[str, ...]]:
    """The device with everything that was left to `auto` decided for this network, and why, in words. The console is
    told what takes more than a moment."""
    device = without_slow_parts(device, config.device, network)
    if not left_open(config.device):
        return device, ()

    def say(text: str) -> None:
        if console is not None:
            console.print(text, markup=False, highlight=False, soft_wrap=True)

    drawn = random_states(device.name)
    twin = copy.deepcopy(network)
    for module in twin.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()  # copies lie apart, and cuDNN wants them in one piece
    trainer = Trainer(task, twin, config.optim, config.trainer, device, seed=config.seed, folder=None)
    try:
        with memory():
            return choose(config.device, trainer, say)
    finally:
        if device.name == "cuda":
            torch.cuda.reset_peak_memory_stats()
        set_random_states(device.name, *drawn)


def describe_environment(task: Task[Any], device: Device, reasons: Sequence[str] = ()) -> dict[str, Any]:
    """What a run depends on beside its config, for environment.json. reasons: for what `auto` chose."""
    chosen = {"device": device.name, "precision": device.precision, "compile": device.compile}
    return environment(task.data_sha256) | {
        "symbols_sha256": sha256_of(task.symbols()),
        "heldout_sha256": task.heldout_sha256(),
        "chosen": chosen,
        "reasons": list(reasons),
    }


def make_trainer(
    config: RunConfig, task: Task[Any], network: Network[Any], device: Device, folder: Path, facts: Mapping[str, Any]
) -> Trainer[Any]:
    """A trainer whose checkpoints, in `folder`, know what they are checkpoints of."""
    origin = {
        "config": {"names": config.names, **config.tree},
        "data_sha256": facts["data_sha256"],
        "symbols_sha256": facts["symbols_sha256"],
        "environment": fingerprint(facts),
    }
    return Trainer(
        task,
        network,
        config.optim,
        config.trainer,
        device,
        seed=config.seed,
        folder=folder / "checkpoints",
        origin=origin,
    )


def complete(
    trainer: Trainer[Any],
    config: RunConfig,
    folder: Path,
    console: Console,
    *,
    quiet: bool,
    resumed: bool = False,
    reasons: Sequence[str] = (),
) -> Result:
    """Train to the end, evaluate and write everything down. resumed: logs are there already, up to where the trainer
    stands. reasons: for what `auto` chose, to be shown."""
    task, network = trainer.task, trainer.network
    start = trainer.progress if resumed else None
    with (
        _kept(folder, config.config_dir),
        disk(folder),
        memory(),
        Recorder(folder, resumed=start) as recorder,
        Display(console, config.trainer, quiet=quiet) as display,
    ):
        trainer.observers = (recorder, display)
        if config.trainer.log_pictures:
            from seqlab.insight.during import Gallery

            trainer.observers = (*trainer.observers, Gallery(trainer, recorder, config.seed))
        parameters = count_parameters(network)
        _introduce(display, config, task, trainer.device, parameters, folder)
        if order := task.training_order(network):
            display.say(f"training reads {order}")
        for limit in shortened(network, task):
            display.say(limit)
            _log.info("%s", limit)
        for reason in reasons:
            display.say(reason)
            _log.info("%s", reason)
        if trainer.progress.step == 0:

            def note(text: str) -> None:
                display.say(f"note: {text}")
                _log.info("%s", text)

            for text in budgets(config, task, network):
                note(text)
            trainer.observers = (*trainer.observers, ValidationWatch(trainer, note))
            tags = [f"val_best/{name}" for name in task.meter("validation").criterion()]
            recorder.describe(config.yaml, _settings(config, parameters), tags)
        else:
            display.say(f"going on from step {trainer.progress.step}")
        with signals(trainer):
            trainer.fit()
            note_compiled(trainer)
            result = _conclude(trainer, config, folder, parameters)
            sample, failure = _sample(trainer, config.seed)
            write_text(folder / "samples.txt", sample + "\n")
            recorder.finish(trainer.progress, result.validation, result.test, sample)
            write_items(folder, result.primary, result.item_values)
            write_json(folder / "result.json", result.as_json())
    if failure is not None:  # only now: what was measured is kept
        raise failure
    for remark in result.remarks:
        _log.info("%s", remark)
    _log.info("finished: %s", ", ".join(f"test {name} {value:.5g}" for name, value in result.test.items()))
    return replace(result, sample=sample)


def _sample(trainer: Trainer[Any], seed: int) -> tuple[str, Exception | None]:
    """(what the network writes, what went wrong in a task's own code). What a resumed run can make good is raised."""
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
    """Say with an error what is safe and how to go on."""
    try:
        yield
    except SeqlabError as error:
        there = snapshots(folder / "checkpoints")
        kept = f"kept step {step_of(there[-1])}" if there else "nothing was saved yet"
        error.allowed = f"{kept}; go on with: {resume_command(folder, config_dir)}"
        raise


def prepare(
    config: RunConfig, device: Device, task: Task[Any] | None = None, *, checked: bool = False
) -> tuple[Task[Any], Network[Any]]:
    """The task (read, unless it is given) and a network that fits it, everything checked that can be before
    training. checked: this model has been held to its promises already, which takes a network of its own."""
    config.optim.horizon(config.trainer.max_steps)
    task = config.task.build() if task is None else task
    with memory():
        network = build_network(config, task, device)
    if config.trainer.bptt_steps is not None:
        task.check_windows(config.trainer.bptt_steps, network)
    check_context(network, task, config.trainer.bptt_steps)
    if not checked:
        check_before_training(task, config.model, f"model={config.names['model']}")
    return task, network


def _conclude(trainer: Trainer[Any], config: RunConfig, folder: Path, parameters: int) -> Result:
    """The test split with the weights that validated best."""
    network, progress = trainer.network, trainer.progress
    best_step = load_best(network, folder / "checkpoints", progress.best_step if progress.best else progress.step)
    network.eval()
    validation, meter = trainer.evaluate("validation").compute(), trainer.evaluate("test")
    metrics = meter.compute()
    remarks = _remarks(trainer, validation, meter.primary, folder)
    return Result(
        folder=folder,
        task=config.names["task"],
        model=config.names["model"],
        seed=config.seed,
        parameters=parameters,
        steps=progress.step,
        tokens=progress.tokens,
        seconds=progress.seconds,
        tokens_per_second=progress.tokens / max(progress.seconds, 1e-9),
        peak_memory_bytes=trainer.device.peak_memory_bytes(),
        best_step=best_step,
        primary=meter.primary,
        criterion=meter.criterion(),
        validation={key: metric.value for key, metric in validation.items()},
        test={key: metric.value for key, metric in metrics.items()},
        test_interval=meter.interval(stream_seed(config.seed, "bootstrap")),
        details=meter.details(),
        device=trainer.device.name,
        precision=trainer.device.precision,
        metrics=metrics,
        warnings=(*task_warnings(trainer.task), *remarks),
        remarks=(*([_SAME] if trainer.task.test_is_validation else []), *remarks),
        test_is_validation=trainer.task.test_is_validation,
        item_values=_item_values(meter),
        sample="",
    )


def _remarks(trainer: Trainer[Any], metrics: Mapping[str, Metric], primary: str, folder: Path) -> tuple[str, ...]:
    """What a reader should know of these validation figures: what advises another training must not know the test."""
    worse = worse_than_chance(metrics, primary, trainer.task.chance("validation"), trainer.remedy)
    falling = still_improving(validations(folder, primary), metrics[primary], primary)
    return tuple(said for said in (worse or falling,) if said is not None)


def _item_values(meter: Meter[Any]) -> tuple[float, ...]:
    """The primary metric item by item; none where the meter has no items, or one that is not a number."""
    sums = meter.item_sums()
    values = () if sums is None else tuple(sums.item_values().tolist())
    return values if all(map(math.isfinite, values)) else ()


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


def recorded(folder: Path) -> dict[str, Any]:
    """A run's environment.json."""
    facts = read_environment(folder)
    if not facts:
        raise CheckpointError(f"{folder} has no readable environment.json", "is this the folder of a run?")
    return facts


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
    now = {"data_sha256": task.data_sha256, "symbols_sha256": sha256_of(task.symbols())}
    changed = [name.removesuffix("_sha256") for name, digest in now.items() if facts.get(name, digest) != digest]
    if changed or "data_sha256" not in facts:
        raise DataError(
            f"the corpus of {source} is not the one it was trained on (other {' and '.join(changed)})",
            "restore it; python_docs differs by Python version, cldr by Babel's: see the run's environment.json",
        )


def _check_symbols(run: Path, task: Task[Any]) -> None:
    """Weights fit only the vocabulary they were trained with: the same shapes could mean other words."""
    if recorded(run).get("symbols_sha256") != sha256_of(task.symbols()):
        raise CheckpointError(
            f"init_from={run} was trained with another vocabulary", "start from a run on the same task and corpus"
        )


# --- small parts -----------------------------------------------------------------------------------


def _introduce(
    display: Display, config: RunConfig, task: Task[Any], device: Device, parameters: int, folder: Path
) -> None:
    facts = ", ".join(f"{key}: {value}" for key, value in described(task.facts()).items())
    count = torch.get_num_threads()
    threads = f", {count} thread{'s' * (count > 1)}" if device.name == "cpu" else ""
    display.say(
        f"{config.names['model']} on {config.names['task']}: {parameters:,} parameters, "
        f"{device.name} {device.precision}{threads}{', compiled' if device.compile else ''}"
    )
    display.say(facts)
    display.say(f"run: {folder}")
    _log.info("%s on %s, %d parameters; %s", config.names["model"], config.names["task"], parameters, facts)
    for warning in task_warnings(task):
        _log.warning("%s", warning)


def _settings(config: RunConfig, parameters: int) -> dict[str, bool | int | float | str]:
    """What TensorBoard's HParams shows: scalars of model, optimizer and the names of the groups."""
    found: dict[str, bool | int | float | str] = dict(config.names)
    for group in ("model", "optim"):
        for key, value in asdict(getattr(config, group)).items():
            if isinstance(value, bool | int | float | str):
                found[f"{group}.{key}"] = value
    return {**found, "seed": config.seed, "parameters": parameters}
