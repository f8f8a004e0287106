"""Cut a resumed run's logs back to where they ended when its checkpoint was written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from seqlab.core.files import write_text
from seqlab.training.progress import Progress

_OF_THE_END = ("test/", "val_best/", "sample/", "_hparams_/session_end_info")
_OF_A_VALIDATION = ("val/", "samples/", "weights/", "viz/")


def rewind_logs(folder: Path, progress: Progress | None, *, open_interval: bool = False) -> None:
    """Cut metrics.jsonl and TensorBoard's events back to their content at `progress` (None: the start of the run).

    open_interval: the checkpoint holds sums that were not logged yet, so its own step was not logged either.
    """
    earlier = None if progress is None else _Earlier(progress, open_interval)
    path = folder / "metrics.jsonl"
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        write_text(path, "".join(line for line in lines if earlier is not None and earlier.line(line)))
    for events in sorted(folder.glob("events.out.tfevents.*")):
        if earlier is None:
            events.unlink()
        else:
            _rewind_events(events, earlier)


@dataclass(frozen=True)
class _Earlier:
    """Whether a record was in the logs when the checkpoint of `progress` was written."""

    progress: Progress
    open_interval: bool

    def record(self, step: int, tags: Iterable[str]) -> bool:
        """A record of this step with these tags."""
        tags, here = tuple(tags), step == self.progress.step
        later: tuple[str, ...] = _OF_THE_END
        if here and self.progress.evaluated_step != step:  # a signal put the validation off until after the checkpoint
            later += _OF_A_VALIDATION
        if here and self.open_interval:
            later += ("train/", "optim/", "speed/", "watch/")
        return step <= self.progress.step and not any(tag.startswith(later) for tag in tags)

    def line(self, text: str) -> bool:
        """A line of metrics.jsonl."""
        try:
            record = json.loads(text)
            return text.endswith("\n") and self.record(record["step"], record)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # a kill cut the line short
            return False


def _rewind_events(path: Path, earlier: _Earlier) -> None:
    """Rewrite an event file without later records; leave it untouched if it has none."""
    temporary = path.with_name(".rewound")
    dropped = 0
    with temporary.open("wb") as file:
        writer = RecordWriter(file)
        for raw, event in _events(path):
            if earlier.record(event.step, (value.tag for value in event.summary.value)):
                writer.write(raw)
            else:
                dropped += 1
        file.flush()
        os.fsync(file.fileno())
    if dropped:
        temporary.replace(path)
    else:
        temporary.unlink()


def _events(path: Path) -> Iterator[tuple[bytes, Event]]:
    """The readable records of a file; a kill may have truncated it."""
    try:
        for raw in RawEventFileLoader(str(path)).Load():
            yield raw, Event.FromString(raw)
    except (DecodeError, OverflowError, ValueError, MemoryError):
        return  # what follows is no event, whatever its length claims
