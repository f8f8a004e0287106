"""What can happen to a run from outside, turned into errors that a user can mend and a log that tells of it."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from seqlab.errors import Interrupted, ResourceError, SeqlabError
from seqlab.training.trainer import Trainer

_log = logging.getLogger("seqlab")


@contextmanager
def log_file(folder: Path) -> Iterator[None]:
    """train.log: what happened, with times, including the error that ended the run."""
    handler = logging.FileHandler(folder / "train.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
    try:
        yield
    except Interrupted as stop:
        _log.warning("%s", stop.what)
        raise
    except SeqlabError as error:
        _log.error("%s", " / ".join(error.lines()))
        raise
    except BaseException:
        _log.exception("the run ended by an error")
        raise
    finally:
        _log.removeHandler(handler)
        handler.close()


@contextmanager
def memory() -> Iterator[None]:
    """Out of memory, on a GPU or the CPU, as an error that a user can mend."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        # the CPU's allocator raises a plain RuntimeError
        out = isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error)
        if not out:
            raise
        raise ResourceError(
            "out of memory", "try a smaller task.batch_size, task.window or model.width, or device.precision=bf16"
        ) from error


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """A full or unwritable disk as an error that a user can mend."""
    try:
        yield
    except OSError as error:
        raise ResourceError(f"cannot write to {folder}: {error.strerror or error}", "is the disk full?") from error


@contextmanager
def on_stop(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call `handler`. Outside the main thread, where Python allows none, they stay as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def signals(trainer: Trainer[Any], folder: Path) -> Iterator[None]:
    """In training the first Ctrl-C or SIGTERM lets the step finish and saves; a second one, or one after
    training, leaves at once."""

    def stop(number: int, _: FrameType | None) -> None:
        if trainer.stop_signal is not None or not trainer.fitting:
            raise Interrupted(f"stopped after step {trainer.progress.step}", "", 128 + number)
        trainer.stop_signal = number

    try:
        with on_stop(stop):
            yield
    except Interrupted as stopped:
        hint = f"kept {folder}; its weights can start another run: seqlab train ... init_from={folder}"
        raise Interrupted(stopped.what, hint, stopped.exit_code) from None
