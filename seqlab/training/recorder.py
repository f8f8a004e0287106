"""The logs of a run: TensorBoard events and metrics.jsonl."""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from seqlab.core.files import finite, flush
from seqlab.core.metric import Metric
from seqlab.training.progress import Progress

_log = logging.getLogger("seqlab")
# TensorBoard shows groups in the order of their names: losses and validation first (train, val), then pictures (viz), these,
# and layers (weights)
_GROUPS = {"optim": "watch", "speed": "watch"}


def board_tag(tag: str) -> str:
    """The tag in TensorBoard of a scalar of metrics.jsonl."""
    group, _, name = tag.partition("/")
    return f"{_GROUPS.get(group, group)}/{name}"


def _wait_for_later_name(folder: Path) -> None:
    """Wait until a new event file sorts last. TensorBoard reads files by name: second, host, process number. Within one
    second a higher process number can sort before a lower one."""
    newest = max((path.name for path in folder.glob("events.out.tfevents.*")), default="")
    mine = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}."
    if newest >= mine:
        time.sleep(1.001 - time.time() % 1)  # until the next second


def write_image(writer: SummaryWriter, tag: str, png: bytes, step: int) -> None:
    """Add a PNG file to TensorBoard's images."""
    width, height = struct.unpack(">II", png[16:24])  # where a PNG holds its size
    image = Summary.Image(width=width, height=height, colorspace=4, encoded_image_string=png)
    writer._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)


class Recorder:
    """An Observer that writes every scalar to both; use it in a `with` statement.

    A run resumed at `resumed` continues its curves: TensorBoard drops the later steps of earlier files. A full disk
    causes one warning, and training continues.
    """

    def __init__(self, folder: Path, *, resumed: Progress | None = None) -> None:
        self._lines = (folder / "metrics.jsonl").open("a", encoding="utf-8")
        # events of the step itself stay, unless the run starts again from the beginning
        purge = None if resumed is None else resumed.step + 1 if resumed.step else 0
        _wait_for_later_name(folder)
        self._board = SummaryWriter(str(folder), flush_secs=30, purge_step=purge)
        self._folder, self._full = folder, set[str]()

    def __enter__(self) -> Self:
        self._hook, threading.excepthook = threading.excepthook, self._heed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._warned("TensorBoard's events"):
            self._board.close()
        threading.excepthook = self._hook
        with self._warned("metrics.jsonl"):
            self._lines.close()

    def _heed(self, failure: threading.ExceptHookArgs) -> None:
        """Pass on exceptions of threads, except an OSError of TensorBoard's writer: its next call raises it again."""
        if not isinstance(failure.exc_value, OSError):
            self._hook(failure)

    @contextmanager
    def _warned(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if what not in self._full:
                self._full.add(what)
                _log.warning("cannot write %s: %s; training continues without it", what, error.strerror or error)

    def describe(self, config_yaml: str, settings: Mapping[str, bool | int | float | str], final: list[str]) -> None:
        """Write the config as text, and HParams with the scalar tags `final` as metrics, into this same run
        (SummaryWriter.add_hparams would create a second one)."""
        with self._warned("TensorBoard's events"):
            self._board.add_text("config", f"```yaml\n{config_yaml}\n```", 0)
            writer = self._board._get_file_writer()
            for summary in hparams(dict(settings), dict.fromkeys(final, 0.0))[:2]:
                writer.add_summary(summary)
            self._board.flush()

    def finish(
        self, progress: Progress, validation: Mapping[str, float], test: Mapping[str, float], sample: str
    ) -> None:
        """Write the metrics of the kept weights, the sample, and the end of the HParams session. TensorBoard, where
        runs are compared to choose among them, gets validation metrics only; test metrics go to metrics.jsonl."""
        best = {f"val_best/{name}": value for name, value in validation.items()}
        self.show(progress.step, scalars=best, texts={"sample": sample})
        self._line(progress, {f"test/{name}": value for name, value in test.items()})
        with self._warned("TensorBoard's events"):
            self._board._get_file_writer().add_summary(hparams({}, {})[2])
        self._sync()  # result.json is written only once all of this is on the disk

    def show(
        self,
        step: int,
        *,
        scalars: Mapping[str, float] | None = None,
        texts: Mapping[str, str] | None = None,
        images: Mapping[str, bytes] | None = None,
        histograms: Mapping[str, Any] | None = None,
    ) -> None:
        """Write to TensorBoard alone, by tag: scalars, texts, PNG files, and arrays as histograms."""
        with self._warned("TensorBoard's events"):
            for tag, value in (scalars or {}).items():
                self._board.add_scalar(tag, value, step)
            for tag, text in (texts or {}).items():
                self._board.add_text(tag, f"```\n{text}\n```", step)
            for tag, png in (images or {}).items():
                write_image(self._board, tag, png, step)
            for tag, values in (histograms or {}).items():
                self._board.add_histogram(tag, values, step)

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        self._scalars(progress, scalars)

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        self._scalars(progress, {f"val/{name}": metric.value for name, metric in metrics.items()})
        figures = ", ".join(f"{name} {metric.value:.5g}" for name, metric in metrics.items())
        _log.info("step %d: validation %s%s", progress.step, figures, " (best)" if better else "")
        # a killed process keeps its curves up to the last validation
        with self._warned("TensorBoard's events"):
            self._board.flush()

    def saving(self, progress: Progress) -> None:
        # a run that resumes from the checkpoint does not log again what came before it
        self._sync()

    def _sync(self) -> None:
        """Flush everything that was logged so far to the disk."""
        with self._warned("TensorBoard's events"):
            self._board.flush()
            for path in self._folder.glob("events.out.tfevents.*"):
                flush(path)
        with self._warned("metrics.jsonl"):
            self._lines.flush()
            os.fsync(self._lines.fileno())

    def _scalars(self, progress: Progress, scalars: dict[str, float]) -> None:
        with self._warned("TensorBoard's events"):
            # one event for all of them
            values = [Summary.Value(tag=board_tag(tag), simple_value=value) for tag, value in scalars.items()]
            self._board._get_file_writer().add_summary(Summary(value=values), progress.step)
        self._line(progress, scalars)

    def _line(self, progress: Progress, scalars: Mapping[str, float]) -> None:
        record: dict[str, Any] = {
            "step": progress.step,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 3),
            **scalars,
        }
        with self._warned("metrics.jsonl"):
            self._lines.write(json.dumps(finite(record), allow_nan=False) + "\n")
            self._lines.flush()
