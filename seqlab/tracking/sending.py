"""Trackers that send entries to a place that takes nothing back."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from seqlab.core.files import write_json
from seqlab.tracking.tracker import Entry, Tracker

_EVERY_SECONDS = 10.0
Value = TypeVar("Value")


class SendingTracker(Tracker):
    """Collects entries, sends them every few seconds and at each checkpoint, and notes in the run's folder how far it
    has sent. A resumed run makes again what came after its checkpoint; of that, only what is new is sent. So no step is
    there twice."""

    def __init__(self, memory: Path, known: Mapping[str, Any]) -> None:
        """memory: the file that `known`, what the tracker must know to continue, is stored in."""
        self._memory, self._known = memory, dict(known)
        sent = self._known.get("sent")
        self._sent: dict[str, int] = dict(sent) if isinstance(sent, dict) else {}
        self._waiting: list[Entry] = []
        self._last = time.monotonic()
        self._remember()

    @abstractmethod
    def send(self, entries: Sequence[Entry]) -> None:
        """Send these, in order."""

    def log(self, entry: Entry) -> None:
        def new(values: Mapping[str, Value]) -> dict[str, Value]:
            return {tag: value for tag, value in values.items() if entry.step > self._sent.get(_group(tag), -1)}

        fresh = replace(
            entry, scalars=new(entry.scalars), texts=new(entry.texts), images=new(entry.images),
            histograms=new(entry.histograms),
        )  # fmt: skip
        if _tags(fresh):
            self._waiting.append(fresh)
        if time.monotonic() - self._last >= _EVERY_SECONDS:
            self.flush()

    def flush(self) -> None:
        self._last = time.monotonic()
        if not self._waiting:
            return
        # a failure ends the tracker, and what may have arrived must not be sent again as it closes
        waiting, self._waiting = self._waiting, []
        self.send(waiting)
        for entry in waiting:
            self._sent.update(dict.fromkeys(map(_group, _tags(entry)), entry.step))
        self._remember()

    def _remember(self) -> None:
        write_json(self._memory, {**self._known, "sent": self._sent})


def _tags(entry: Entry) -> list[str]:
    return [*entry.scalars, *entry.texts, *entry.images, *entry.histograms]


def _group(tag: str) -> str:
    """A validation that a signal has postponed comes after its step's log line: each group has a mark of its own."""
    return tag.partition("/")[0]
