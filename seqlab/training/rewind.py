"""The logs of a run that goes on, cut back to where they stood when its checkpoint was written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from seqlab.run_folder import write_text
from seqlab.training.progress import Progress

_OF_THE_END = ("test/", "sample", "_hparams_/session_end_info")


def rewind_logs(folder: Path, progress: Progress | None) -> None:
    """Leave in metrics.jsonl and in TensorBoard's events what stood there at `progress` (None: the start)."""
    path = folder / "metrics.jsonl"
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        write_text(path, "".join(line for line in lines if progress is not None and _line_stood(line, progress)))
    for events in sorted(folder.glob("events.out.tfevents.*")):
        if progress is None:
            events.unlink()
        else:
            _rewind_events(events, progress)


def _stood(step: int, tags: Iterable[str], progress: Progress) -> bool:
    tags = list(tags)
    if step > progress.step or any(tag.startswith(_OF_THE_END) for tag in tags):
        return False
    # a validation that a signal put off is made, and written, after the checkpoint of its step
    put_off = step == progress.step and progress.evaluated_step != step
    return not (put_off and any(tag.startswith("val/") for tag in tags))


def _line_stood(line: str, progress: Progress) -> bool:
    try:
        record = json.loads(line)
        return line.endswith("\n") and _stood(record["step"], record, progress)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # a kill cut the line short
        return False


def _rewind_events(path: Path, progress: Progress) -> None:
    """Rewrite a file of events without what came later; untouched if there is nothing of the kind in it."""
    temporary = path.with_name(f".{path.name}")
    dropped = 0
    with temporary.open("wb") as file:
        writer = RecordWriter(file)
        for raw, event in _events(path):
            if _stood(event.step, (value.tag for value in event.summary.value), progress):
                writer.write(raw)
            else:
                dropped += 1
    if dropped:
        temporary.replace(path)
    else:
        temporary.unlink()


def _events(path: Path) -> Iterator[tuple[bytes, Event]]:
    """What can be read of a file; a kill may have cut its end."""
    for raw in RawEventFileLoader(str(path)).Load():
        try:
            yield raw, Event.FromString(raw)
        except DecodeError:
            return
