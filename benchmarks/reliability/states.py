"""The measurements inside one process: resume points, omissions, damage, and how long a save takes."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.reliability import world
from benchmarks.reliability.rounds import Count
from seqlab.checkpoints.files import MANIFEST, STATE, TENSORS, read_checkpoint, write_checkpoint
from seqlab.checkpoints.retention import checkpoint_path
from seqlab.checkpoints.saving import load_checkpoint, save_checkpoint
from seqlab.checkpoints.trainer_state import Parts, capture, restore
from seqlab.config.run import RunConfig, load_run_config
from seqlab.core.metric import Metric
from seqlab.core.network import Network, StepOutput
from seqlab.core.task import Task
from seqlab.errors import CheckpointError, NumericError
from seqlab.runs.setup import build_network
from seqlab.runs.verify import replay
from seqlab.training.device import resolve_device
from seqlab.training.progress import Progress
from seqlab.training.sharing import Sharing
from seqlab.training.trainer import Trainer
from seqlab.training.update import Update

Signature = dict[str, Any]


class Lines:
    """An Observer that records what it receives, except times."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, int, dict[str, float]]] = []
        self.slowest = self.fastest = 0.0

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        self.slowest = max(self.slowest, scalars["speed/step_milliseconds"])
        self.fastest = max(self.fastest, scalars["speed/tokens_per_second"])
        kept = {key: value for key, value in scalars.items() if not key.startswith("speed/") or key == "speed/epoch"}
        self.lines.append((progress.step, progress.tokens, kept))

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        figures = {name: metric.value for name, metric in metrics.items()}
        self.lines.append((progress.step, progress.tokens, figures | {"better": better}))

    def saving(self, progress: Progress) -> None:
        pass


def make_trainer(config: RunConfig, task: Task[Any], folder: Path | None = None) -> tuple[Trainer[Any], Lines]:
    """As a fresh process would make it."""
    device, lines = resolve_device(config.device, deterministic=config.deterministic), Lines()
    network = build_network(config, task, device)
    made = Trainer(
        task, network, config.optim, config.trainer, device, seed=config.seed, folder=folder, observers=(lines,)
    )
    return made, lines


def signature(trainer: Trainer[Any], lines: Lines) -> Signature:
    """Everything that a run computed and reported, for comparison bit by bit."""
    tensors, state = capture(trainer)
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return {
        "tensors": digest.hexdigest(),
        "progress": {key: value for key, value in state["progress"].items() if key != "seconds"},
        "scaler": state["scaler"],
        "lines": lines.lines,
    }


def every_step(trainer: Trainer[Any], save: Callable[[int], object]) -> None:
    """fit(), with a checkpoint of each step in the moment at which a signal would have asked for one."""
    plain = trainer.validate_if_due

    def watched() -> bool:
        if trainer.progress.step:
            save(trainer.progress.step)
        return plain()

    trainer.validate_if_due = watched  # type: ignore[method-assign]
    trainer.fit()


def resume_points(here: Path, optimizers: tuple[str, ...], steps: int, limit: int | None = None) -> Count:
    """Every step of a short run of every model, task, precision and optimizer: resumed there, the end must be the same
    in every bit. `limit`: only that many, spread over all of them."""
    count = Count()
    every = [(m, t, p, o) for m in world.MODELS for t in world.TASKS for p in world.PRECISIONS for o in optimizers]
    for number, (model, task_name, precision, optimizer) in enumerate(every):
        more = (
            f"optim={optimizer}",
            f"device.precision={precision}",
            f"trainer.max_steps={steps}",
            "model.dropout=0.3",
        )
        config = load_run_config(world.overrides(model, task_name, *more))
        task = config.task.build()
        whole, heard = make_trainer(config, task)
        folder = here / "points"
        every_step(whole, lambda step, t=whole, f=folder: save_checkpoint(t, f / str(step)))  # type: ignore[misc]
        expected = signature(whole, heard)
        points = range(1, steps)
        if limit is not None:  # other steps in each combination
            each = -(-limit // len(every))
            points = [(number + index * steps // each) % (steps - 1) + 1 for index in range(each)]  # type: ignore[assignment]
        for step in points:
            torch.manual_seed(step)  # what a fresh process does not have
            resumed, heard_again = make_trainer(config, task)
            restore(resumed, load_checkpoint(folder / str(step) / f"step-{step:08d}"), "point")
            resumed.fit()
            got = signature(resumed, heard_again)
            lines = [line for line in expected["lines"] if line[0] > step or (line[0] == step and "better" in line[2])]
            different = [key for key in ("tensors", "progress", "scaler") if got[key] != expected[key]]
            different += ["lines"] if got["lines"] != lines else []
            count.add(not different, f"{model} {task_name} {precision} {optimizer}, step {step}: {different}")
        shutil.rmtree(folder)
    return count


# --- omissions ------------------------------------------------------------------------------------------


class _Restless(Network[Any]):
    """A network that also draws from Python's and NumPy's generators, as a user's own may."""

    def __init__(self, inner: Network[Any]) -> None:
        super().__init__()
        self.inner = inner

    def initial_state(self, rows: int, *, cached: bool = False) -> Any:
        return self.inner.initial_state(rows, cached=cached)

    def forward(self, batch: Any, state: Any) -> StepOutput:
        output: StepOutput = self.inner(batch, state)
        if not self.training:
            return output
        factor = 1.0 + 0.1 * random.gauss(0, 1) + 0.1 * np.random.randn() + 0.1 * float(np.random.rand())
        return StepOutput(output.loss_sum * factor, output.state, output.logits)


def omissions(here: Path) -> Count:
    """Each saved item in turn is (a) taken out of the checkpoint, which must be refused, and (b) left as a fresh
    process has it, which must change the outcome of the run. For (b) the run is one in which every item matters."""
    more = (
        "trainer.max_steps=40", "trainer.eval_every_steps=7", "trainer.log_every_steps=6", "trainer.patience=3",
        "optim.learning_rate=0.05", "trainer.nonfinite_limit=3", "model.dropout=0.3", "task.batch_size=3",
        "task.train_share=0.12", "task.validation_share=0.4",
    )  # fmt: skip
    config = load_run_config(world.overrides("lstm", "char_lm", *more))
    task, count, at = config.task.build(), Count(), 22

    def make() -> tuple[Trainer[Any], Lines]:
        trainer, lines = make_trainer(config, task)
        torch.manual_seed(3)
        trainer.network = _Restless(trainer.network)
        trainer.update = Update(Sharing(trainer.network), config.optim.build, trainer.device, config.trainer)
        trainer.update.scaler = torch.amp.GradScaler("cpu", init_scale=256.0, growth_interval=5)
        trainer.outcomes.scaler = trainer.update.scaler
        torch.manual_seed(4)
        random.seed(5)
        np.random.seed(6)
        random.gauss(0, 1)  # so that half a pair is in store
        np.random.randn()
        return trainer, lines

    def poisoned(trainer: Trainer[Any], bad_steps: tuple[int, ...]) -> None:
        """The gradient is not finite in these steps, so that the counts of such steps matter."""
        plain = trainer.step

        def step(group: list[Any]) -> Any:
            bad = trainer.progress.step + 1 in bad_steps
            hook = next(trainer.network.parameters()).register_hook(lambda g: g * float("nan")) if bad else None
            done = plain(group)
            if hook is not None:
                hook.remove()
            return done

        trainer.step = step  # type: ignore[method-assign]

    def finish(parts: Parts) -> list[Signature]:
        """Once with a third failed step in a row, which is the limit, and once without."""
        ends = []
        for bad_steps in ((21, 22, 23), (21, 22)):
            trainer, lines = make()
            restore(trainer, copy.deepcopy(parts), "doctored")
            poisoned(trainer, bad_steps)
            ended = ""
            try:
                trainer.fit()
            except NumericError as error:
                ended = error.what
            # what was saved of times and speed was made extreme, so that losing it shows
            times = {
                "run": trainer.progress.seconds > 1e5,
                "interval": lines.slowest > 1e5,
                "speed": lines.fastest > 1e5,
            }
            ends.append(signature(trainer, lines) | times | {"ended": ended})
        return ends

    noticed: dict[str, bool] = {}
    # a state is carried at the first, a validation is just done at the second, two failed steps lie before the third
    for at, evaluated in ((13, False), (14, True), (22, False)):
        first, _ = make()
        poisoned(first, (21, 22))
        replay(first, at, evaluated=evaluated)
        folder = here / f"omitted-{at}"
        save_checkpoint(first, folder)
        parts = load_checkpoint(folder / f"step-{at:08d}")
        parts[1]["progress"]["seconds"] = parts[1]["interval"]["seconds"] = 1e6
        parts[1]["interval"]["tokens"] = 10**13
        parts[1]["progress"]["best"]["metrics"][0]["value"] = 0.0  # never to be beaten: patience will end the run
        parts[1]["progress"]["evaluations_since_best"] = 1
        expected, fresh = finish(parts), capture(make()[0])
        for where, name in _items(parts):
            doctored = copy.deepcopy(parts)
            _holder(doctored, where).pop(name)
            count.add(_refused(make()[0], doctored, here / "doctored"), f"without {where} {name}: taken up")
        for what, doctored in _as_fresh(parts, fresh):
            noticed[what] = noticed.get(what, False) or _notices(finish, doctored, expected)
    untried = {what for what in _names(parts) if what not in noticed} - _SAME_EVERYWHERE
    count.add(not untried, f"never other than in a fresh process, so that nothing was tried: {untried}", 0)
    for what, is_noticed in noticed.items():
        count.add(is_noticed, f"{what} as in a fresh process: unnoticed")
    return count


def _names(parts: Parts) -> set[str]:
    return {f"{where} {name}" for where, name in _items(parts) if where == ("state", "progress") or len(where) > 1}


# the scaler's settings are those of its making, and that a step ended the run is for a comparison to read
_SAME_EVERYWHERE = {
    *(f"('state', 'scaler') {name}" for name in ("growth_factor", "backoff_factor", "growth_interval")),
    "('state', 'progress') failed",
}
# names, what the run is made from, and the optimizer's settings, of which only the learning rate moves, with the step
_NOT_ALONE = ("tensors", "run", "carried", "optimizer")


def _as_fresh(parts: Parts, fresh: Parts) -> Iterator[tuple[str, Parts]]:
    """One item at a time as a fresh process has it, where that is something else."""
    for where, name in _items(parts):
        known = _holder(fresh, where)
        if name in known and name not in _NOT_ALONE and not _equal(_holder(parts, where)[name], known[name]):
            doctored = copy.deepcopy(parts)
            _holder(doctored, where)[name] = copy.deepcopy(known[name])
            yield f"{where} {name}", doctored
    for kind in ("optimizer", "carried"):  # of which a fresh process has nothing at all
        doctored = _without(parts, kind)
        if len(doctored[0]) < len(parts[0]):
            yield kind, doctored


def _notices(finish: Callable[[Parts], list[Signature]], doctored: Parts, expected: list[Signature]) -> bool:
    try:
        return finish(doctored) != expected
    except CheckpointError:
        return True


def _without(parts: Parts, kind: str) -> Parts:
    tensors, state = copy.deepcopy(parts)
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(f"{kind}.")}
    if kind == "carried":
        state["carried"] = None
    return tensors, {**state, "tensors": sorted(tensors)}


def _items(parts: Parts) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every tensor, and every value of the state down to those of progress, interval, scaler and random."""
    for name in parts[0]:
        yield ("tensors",), name
    for name, value in parts[1].items():
        if name == "format":
            continue  # written by the file's own writer
        yield ("state",), name
        if name in ("progress", "interval", "scaler", "random"):
            for inner in value:
                yield ("state", name), inner


def _holder(parts: Parts, where: tuple[str, ...]) -> dict[str, Any]:
    held: dict[str, Any] = parts[0] if where[0] == "tensors" else parts[1]
    for name in where[1:]:
        held = held[name]
    return held


def _refused(trainer: Trainer[Any], parts: Parts, folder: Path) -> bool:
    """Whether such a checkpoint, with correct hashes, is refused."""
    shutil.rmtree(folder, ignore_errors=True)
    progress = parts[1].get("progress", {})
    place = checkpoint_path(folder, progress.get("step", 1))
    write_checkpoint(place, parts[0], parts[1])
    before = capture(trainer)
    try:
        restore(trainer, load_checkpoint(place), "doctored")
    except CheckpointError:
        return _equal_parts(before, capture(trainer))  # and nothing was touched
    return False


def _equal_parts(a: Parts, b: Parts) -> bool:
    return a[0].keys() == b[0].keys() and all(_equal(a[0][n], b[0][n]) for n in a[0]) and _equal(a[1], b[1])


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.shape == b.shape and torch.equal(a, b)
    return json.dumps(a, default=repr) == json.dumps(b, default=repr)


# --- damage ---------------------------------------------------------------------------------------------


def damages(here: Path, number: int, seed: int) -> Count:
    """A flipped bit or a truncation anywhere in any file of a checkpoint must be refused."""
    config = load_run_config(world.overrides("transformer", "translation", "trainer.max_steps=4"))
    trainer, _ = make_trainer(config, config.task.build(), here / "whole")
    trainer.fit()
    source, rng, count = here / "whole" / "step-00000004", random.Random(seed), Count()
    read_checkpoint(source)
    for index in range(number):
        name = rng.choice((MANIFEST, STATE, TENSORS))
        folder = here / "damaged"
        shutil.copytree(source, folder)
        data = bytearray((folder / name).read_bytes())
        if index % 2:
            position = rng.randrange(len(data) * 8)
            data[position // 8] ^= 1 << position % 8
            what = f"{name}: bit {position}"
        else:
            data = data[: rng.randrange(len(data))]
            what = f"{name}: cut to {len(data)} bytes"
        (folder / name).write_bytes(data)
        try:
            read_checkpoint(folder)
            count.add(False, what)
        except CheckpointError:
            count.add(True, what)
        shutil.rmtree(folder)
    return count


# --- time -----------------------------------------------------------------------------------------------


def save_times(here: Path, saves: int) -> dict[str, float]:
    """Seconds of saving a model of ten million parameters with its optimizer's state, and of training between two
    saves at the default cadence."""
    words = ["model=transformer", "task=char_lm", "model.width=396", "model.layers=6", "model.heads=6"]
    words += [
        "model.feed_forward=1344",
        "device=cpu",
        "device.threads=2",
        "trainer.max_steps=1000",
        "task.batch_size=8",
    ]
    config = load_run_config(words)
    trainer, _ = make_trainer(config, config.task.build(), here / "large")
    groups, times, steps = trainer.windows.groups(trainer.progress), [], []
    for _ in range(saves):
        started = time.perf_counter()
        trainer.step(next(groups))
        steps.append(time.perf_counter() - started)
        started = time.perf_counter()
        trainer.save()
        times.append(time.perf_counter() - started)
    size = sum(path.stat().st_size for path in (here / "large" / f"step-{saves:08d}").iterdir())
    step, save = statistics.median(steps), statistics.median(times)
    between = min(config.trainer.save_every_steps * step, config.trainer.save_every_seconds or 1e9)
    return {
        "parameters": float(sum(p.numel() for p in trainer.network.parameters())),
        "megabytes": size / 1e6,
        "median": save,
        "p95": sorted(times)[max(0, round(0.95 * saves) - 1)],
        "step": step,
        "share": save / (between + save),
    }
