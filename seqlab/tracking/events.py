"""TensorBoard's event files: writing them, and cutting them back."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from seqlab.core.files import flush
from seqlab.tracking.tracker import Entry, Final, Kept, TrackedRun, Tracker

_FILES = "events.out.tfevents.*"
# TensorBoard shows groups in the order of their names: losses and validation first (train, val), then pictures (viz),
# these, and layers (weights)
_GROUPS = {"optim": "watch", "speed": "watch"}


class TensorBoard(Tracker):
    """The event file of a run, or of its continuation: TensorBoard drops the later steps of earlier files. Test figures
    are left out: here runs are compared to choose among them."""

    def __init__(self, run: TrackedRun) -> None:
        self._folder = run.folder
        # events of the step itself stay, unless the run starts again from the beginning
        again = run.step == 0 and any(run.folder.glob(_FILES))
        purge = run.step + 1 if run.step else 0 if again else None
        _wait_for_later_name(run.folder)
        self._board = SummaryWriter(str(run.folder), flush_secs=30, purge_step=purge)
        self._hook, threading.excepthook = threading.excepthook, self._heed
        if run.step == 0:
            self._describe(run)

    def _heed(self, failure: threading.ExceptHookArgs) -> None:
        """Pass on exceptions of threads, except an OSError of TensorBoard's writer: its next call raises it again."""
        if not isinstance(failure.exc_value, OSError):
            self._hook(failure)

    def _describe(self, run: TrackedRun) -> None:
        """Write the config as text, and HParams with the columns as metrics, into this same run
        (SummaryWriter.add_hparams would create a second one)."""
        self._board.add_text("config", f"```yaml\n{run.config}\n```", 0)
        writer = self._board._get_file_writer()
        for summary in hparams(dict(run.hparams), dict.fromkeys(run.columns, 0.0))[:2]:
            writer.add_summary(summary)
        self._board.flush()

    def log(self, entry: Entry) -> None:
        if entry.scalars:  # one event for all of them
            values = [Summary.Value(tag=board_tag(tag), simple_value=value) for tag, value in entry.scalars.items()]
            self._board._get_file_writer().add_summary(Summary(value=values), entry.step)
        for tag, text in entry.texts.items():
            self._board.add_text(tag, f"```\n{text}\n```", entry.step)
        for tag, png in entry.images.items():
            write_image(self._board, tag, png, entry.step)
        for tag, values in entry.histograms.items():
            self._board.add_histogram(tag, values, entry.step)
        if any(tag.startswith("val/") for tag in entry.scalars):  # a killed process keeps its curves up to here
            self._board.flush()

    def flush(self) -> None:
        self._board.flush()
        for path in self._folder.glob(_FILES):
            flush(path)

    def finish(self, final: Final) -> None:
        best = {f"val_best/{name}": value for name, value in final.validation.items()}
        self.log(Entry(final.step, best, {"sample": final.sample}))
        self._board._get_file_writer().add_summary(hparams({}, {})[2])

    def close(self, finished: bool) -> None:
        try:
            self._board.close()
        finally:
            threading.excepthook = self._hook


def board_tag(tag: str) -> str:
    """The tag in TensorBoard of a scalar of metrics.jsonl."""
    group, _, name = tag.partition("/")
    return f"{_GROUPS.get(group, group)}/{name}"


def write_image(writer: SummaryWriter, tag: str, png: bytes, step: int) -> None:
    """Add a PNG file to TensorBoard's images."""
    width, height = struct.unpack(">II", png[16:24])  # where a PNG holds its size
    image = Summary.Image(width=width, height=height, colorspace=4, encoded_image_string=png)
    writer._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)


def _wait_for_later_name(folder: Path) -> None:
    """Wait until a new event file sorts last. TensorBoard reads files by name: second, host, process number. Within one
    second a higher process number can sort before a lower one."""
    newest = max((path.name for path in folder.glob(_FILES)), default="")
    mine = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}."
    if newest >= mine:
        time.sleep(1.001 - time.time() % 1)  # until the next second


def rewind_events(folder: Path, kept: Kept) -> None:
    """Rewrite the event files of a folder without later records."""
    for path in sorted(folder.glob(_FILES)):
        _rewind(path, kept)


def _rewind(path: Path, kept: Kept) -> None:
    """Rewrite an event file without later records; leave it untouched if it has none."""
    temporary = path.with_name(".rewound")
    dropped = written = 0
    with temporary.open("wb") as file:
        writer = RecordWriter(file)
        for raw, event in _events(path):
            if kept(event.step, [value.tag for value in event.summary.value]):
                writer.write(raw)
                written += 1
            else:
                dropped += 1
        file.flush()
        os.fsync(file.fileno())
    if dropped:
        temporary.replace(path)
    else:
        temporary.unlink()
    if not written:  # the run starts again
        path.unlink()


def _events(path: Path) -> Iterator[tuple[bytes, Event]]:
    """The readable records of a file; a kill may have truncated it."""
    try:
        for raw in RawEventFileLoader(str(path)).Load():
            yield raw, Event.FromString(raw)
    except (DecodeError, OverflowError, ValueError, MemoryError):
        return  # what follows is no event, whatever its length claims
