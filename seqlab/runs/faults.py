"""What can happen to a run from outside, turned into errors that a user can mend and a log that tells of it."""

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

from seqlab.errors import Interrupted, ResourceError, SeqlabError
from seqlab.runs.reporter import Reporter
from seqlab.training.device import is_out_of_memory
from seqlab.training.trainer import Trainer

_log = logging.getLogger("seqlab")
_OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EIO)


class _LogFile(logging.FileHandler):
    """A log that a full disk does not turn into tracebacks on the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        pass


class _Warnings(logging.Handler):
    """What the user must know at once."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self.reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:  # errors end in a message of the command line
            self.reporter.warn(record.getMessage())


@contextmanager
def log_file(folder: Path, reporter: Reporter) -> Iterator[None]:
    """train.log: what happened, with times, including the error that ended the run. Warnings go to `reporter` too."""
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
        _log.exception("the run ended by an error")
        raise
    finally:
        _log.setLevel(level)
        _log.propagate = propagate  # what is warned of after a run is heard as before it
        for handler in handlers:
            _log.removeHandler(handler)
            with suppress(OSError):
                handler.close()


@contextmanager
def memory() -> Iterator[None]:
    """Out of memory, on a GPU or the CPU, as an error that a user can mend."""
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
    """A full or unwritable disk as an error that a user can mend."""
    try:
        yield
    except OSError as error:
        if error.errno not in _OF_A_DISK:
            raise
        what = f"cannot write to {error.filename or folder}: {error.strerror or error}"
        raise ResourceError(what, "is the disk full, or the folder not yours?") from error


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
def signals(trainer: Trainer[Any]) -> Iterator[None]:
    """In training the first Ctrl-C or SIGTERM lets the step finish and saves; a second one, or one after
    training, leaves at once."""

    def stop(number: int, _: FrameType | None) -> None:
        if trainer.stop_signal is not None or not trainer.fitting:
            raise Interrupted(f"stopped after step {trainer.progress.step}", "", 128 + number)
        trainer.stop_signal = number

    with on_stop(stop):
        yield
