"""Signals, memory, disk: faults from outside become errors with a remedy, and entries in train.log."""

from __future__ import annotations

import errno
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from seqlab.errors import Interrupted, LostProcess, ResourceError, SeqlabError
from seqlab.runs.reporter import Reporter
from seqlab.training.memory import is_out_of_memory
from seqlab.training.trainer import Trainer

_log = logging.getLogger("seqlab")
_OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EIO)


class _LogFile(logging.FileHandler):
    """A log file that prints no traceback when the disk is full."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        pass


class _Warnings(logging.Handler):
    """Passes warnings on to the reporter."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self.reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:  # the command line prints errors itself
            self.reporter.warn(record.getMessage())


@contextmanager
def log_file(folder: Path, reporter: Reporter) -> Iterator[None]:
    """Write train.log: events with times, including the error that ended the run. Warnings also go to `reporter`."""
    try:
        handlers = [_LogFile(folder / "train.log", encoding="utf-8"), _Warnings(reporter)]
    except OSError as error:
        raise ResourceError(
            f"cannot write to {folder}: {error.strerror}", "is the disk full, or the folder not yours?"
        ) from error
    handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for handler in handlers:
        _log.addHandler(handler)
    level, propagate = _log.level, _log.propagate
    _log.setLevel(logging.INFO)
    _log.propagate = False
    try:
        yield
    except Interrupted as stop:
        _log.info("%s", stop.what)
        raise
    except SeqlabError as error:
        _log.error("%s", " / ".join(error.lines()))
        raise
    except BaseException:
        _log.exception("the run ended with an error")
        raise
    finally:
        _log.setLevel(level)
        _log.propagate = propagate  # warnings after a run go where they went before it
        for handler in handlers:
            _log.removeHandler(handler)
            with suppress(OSError):
                handler.close()


@contextmanager
def memory() -> Iterator[None]:
    """Turn running out of memory, on a GPU or the CPU, into a ResourceError with a remedy."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            "out of memory", "try a smaller task.batch_size, task.window or model.width, or device.precision=bf16"
        ) from error


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """Turn a full or unwritable disk into a ResourceError with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno not in _OF_A_DISK:
            raise
        what = f"cannot write to {error.filename or folder}: {error.strerror or error}"
        raise ResourceError(what, "is the disk full, or the folder not yours?") from error


@contextmanager
def on_stop(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM call `handler`. Outside the main thread, where Python allows no handlers, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            # None: a handler that was not set from Python, in a program that embeds it
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)


@contextmanager
def signals(trainer: Trainer[Any]) -> Iterator[None]:
    """During training the first Ctrl-C or SIGTERM lets the step finish and saves; a second one, or one after training,
    stops at once. One of several processes may get the same signal from the cluster and from its launcher, which stops
    such a process itself: the second one is ignored."""

    def stop(number: int, _: FrameType | None) -> None:
        if trainer.world.size > 1:
            if not trainer.fitting:
                raise LostProcess("stopped after training, before the result was written", "resume the run")
            trainer.stop_signal = number
            return
        if trainer.stop_signal is not None or not trainer.fitting:
            raise Interrupted(f"stopped after step {trainer.progress.step}", "", 128 + number)
        trainer.stop_signal = number

    with on_stop(stop):
        yield
