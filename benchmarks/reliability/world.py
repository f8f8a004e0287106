"""Small runs in processes of their own, forked from one that has imported everything: a thousand starts would
otherwise take hours. What runs in them is what `seqlab train` and `seqlab resume` run, but for the contracts of the
models, which take longer than such a run: those are checked before anything is written."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import json
import os
import random
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from seqlab.checkpoints.files import read_checkpoint
from seqlab.checkpoints.retention import checkpoints_in
from seqlab.config.run import RunConfig, load_run_config
from seqlab.config.sources import group_files
from seqlab.errors import SeqlabError
from seqlab.runs.resume import resume
from seqlab.runs.train import train

MODELS = tuple(group_files("model", None))
PRECISIONS = ("fp32", "bf16")
_SHARED = (
    "model.width=8", "model.layers=1", "model.dropout=0.2", "device=cpu", "device.threads=1", "trainer.max_steps=24",
    "trainer.eval_every_steps=5", "trainer.log_every_steps=3", "trainer.save_every_steps=4",
    "optim.learning_rate=0.01", "optim.warmup_steps=2",
    # drawing takes longer than these runs, and makes events the largest of their files; tests/insight has its own check
    "trainer.log_pictures=false",
)  # fmt: skip
_OF_TASK = {
    "char_lm": ("task.corpus=corpus.txt", "task.window=8", "task.batch_size=4", "task.sample_length=20"),
    "sentiment": ("task.corpus=labelled.csv", "task.batch_size=4", "task.word_dropout=0.2", "task.max_length=20"),
    "translation": ("task.corpus=pairs.tsv", "task.batch_size=4", "task.max_length=30"),
}
TASKS = tuple(_OF_TASK)
_WORDS = "the a quick slow brown red fox dog hen cat jumps runs sleeps over under near lazy old tree hill".split()


@dataclass(frozen=True)
class Ended:
    """How a child process ended: its exit code, or the signal's negative number, and its output."""

    code: int
    said: str


def import_everything() -> None:
    """What a run imports on its way, once for all children."""
    for name in (
        "sacrebleu.metrics.bleu",
        "sacrebleu.metrics.chrf",
        "tensorboard.backend.event_processing.event_accumulator",
    ):
        import_module(name)
    torch.set_num_threads(1)


def corpora(folder: Path) -> None:
    """One small corpus per task."""
    rng = random.Random(7)
    lines = [" ".join(rng.choice(_WORDS) for _ in range(rng.randrange(4, 9))) for _ in range(80)]
    (folder / "corpus.txt").write_text(".\n".join(lines) + ".\n")
    rows = [f'"{line}",{"long" if len(line) > 26 else "short"}' for line in lines]
    (folder / "labelled.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (folder / "pairs.tsv").write_text("".join(f"{' '.join(a)}\t{' '.join(reversed(a))}\n" for a in map(_short, lines)))


def _short(line: str) -> list[str]:
    return line.split()[:4]


def overrides(model: str, task: str, *more: str) -> list[str]:
    """Of a run that takes some tenths of a second; settings named in `more` win."""
    given = {word.partition("=")[0] for word in more}
    heads = ("model.heads=2", "model.feed_forward=16") if model == "transformer" else ()
    words = (*_SHARED, *_OF_TASK[task], *heads)
    return [f"model={model}", f"task={task}", *(w for w in words if w.partition("=")[0] not in given), *more]


def begin(folder: Path, words: list[str]) -> Callable[[], object]:
    """The body of a child that makes the run `folder`."""
    config = _config(tuple(words))  # before the fork: composing takes longer than such a run
    return lambda: train(config, overrides=words, folder=folder, checked=True)


@functools.cache
def _config(words: tuple[str, ...]) -> RunConfig:
    return load_run_config(list(words))


def go_on(folder: Path, words: list[str]) -> Callable[[], object]:
    """The body of a child that resumes `folder`, or begins it again if the last one was killed too early."""

    def body() -> object:
        if (folder / "config.yaml").is_file():
            return resume(folder, [], checked=True)
        shutil.rmtree(folder, ignore_errors=True)  # killed before there was anything to resume
        return begin(folder, words)()

    return body


@dataclass(frozen=True)
class Child:
    """A process and the pipe that carries its output."""

    process: int
    pipe: int


def fork(body: Callable[[], object]) -> Child:
    """Start a child that runs `body` and leaves as the command line would."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return Child(process, reading)
    code = 1
    try:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        try:
            body()
            code = 0
        except SeqlabError as error:
            os.write(2, "".join(f"{line}\n" for line in error.lines()).encode())
            code = error.exit_code
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def wait(child: Child) -> Ended:
    """Until it has ended."""
    with os.fdopen(child.pipe, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    return Ended(os.waitstatus_to_exitcode(os.waitpid(child.process, 0)[1]), said)


def run(body: Callable[[], object]) -> Ended:
    """A child from its start to its end."""
    return wait(fork(body))


def kill_after(child: Child, seconds: float) -> bool:
    """SIGKILL after a while; whether the child was still alive to be killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitid(os.P_PID, child.process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return False
        time.sleep(0.002)
    os.kill(child.process, signal.SIGKILL)
    return True


def outcome(folder: Path) -> dict[str, str]:
    """Digests of all that must be the same however often a run was stopped: the last checkpoint, metrics.jsonl without
    times, samples, test figures, and the curves that TensorBoard shows."""
    tensors, state = read_checkpoint(checkpoints_in(folder / "checkpoints")[-1])
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    timeless = {"progress": {**state["progress"], "seconds": 0}, "optimizer": state["optimizer"]}
    result = json.loads((folder / "result.json").read_text())
    return {
        "weights": digest.hexdigest(),
        "progress": _digest(timeless),
        "metrics": _digest(lines(folder)),
        "samples": _digest((folder / "samples.txt").read_text()),
        "result": _digest([result[key] for key in ("validation", "test", "best_step", "steps", "tokens")]),
        "curves": _digest(curves(folder)),
    }


def lines(folder: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without times."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in r.items() if k != "seconds" and not k.startswith("speed/")} for r in records]


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every scalar that TensorBoard shows of a run, but for times."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    board.Reload()
    times = ("/tokens_per_second", "/step_milliseconds")
    tags = [tag for tag in board.Tags()["scalars"] if not tag.endswith(times)]
    return {tag: [(event.step, event.value) for event in board.Scalars(tag)] for tag in tags}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# --- the injector -------------------------------------------------------------------------------------


def injector() -> ctypes.CDLL | None:
    """The preloaded library of injector.c; None where it was not preloaded."""
    preloaded = os.environ.get("LD_PRELOAD", "")
    return ctypes.CDLL(preloaded) if preloaded.endswith("injector.so") else None


@contextlib.contextmanager
def armed_saves(library: ctypes.CDLL, save: int, mode: int, at: int, report: Path) -> Iterator[None]:
    """Children forked within arm the injector for their `save`-th checkpoint, from its first file operation to the
    last of its retention, and write to `report` how many there were."""
    with around_saves(
        before=lambda number: library.injector_arm(mode, at) if number == save else None,
        after=lambda number: report.write_text(str(library.injector_disarm())) if number == save else None,
    ):
        yield


@contextlib.contextmanager
def around_saves(before: Callable[[int], object], after: Callable[[int], object]) -> Iterator[None]:
    """Call these around each checkpoint, with its number; the save itself stays as it is."""
    trainer: Any = import_module("seqlab.training.trainer")
    plain, seen = trainer.save_checkpoint, [0]

    def watched(*arguments: Any) -> None:
        seen[0] += 1
        before(seen[0])
        try:
            plain(*arguments)
        finally:
            after(seen[0])

    trainer.save_checkpoint = watched
    try:
        yield
    finally:
        trainer.save_checkpoint = plain
