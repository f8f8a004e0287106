"""The logs of a run: metrics.jsonl, and whatever trackers it has."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from seqlab.core.files import finite
from seqlab.core.metric import Metric
from seqlab.errors import Interrupted, LostProcess
from seqlab.tracking.tracker import Entry, Final, TrackedRun, Tracker, TrackerConfig
from seqlab.training.progress import Progress

_log = logging.getLogger("seqlab")


class Recorder:
    """An Observer that writes every scalar to metrics.jsonl and to all trackers; use it in a `with` statement.

    A full disk, or a tracker that fails, causes one warning, and training continues without it.
    """

    def __init__(self, run: TrackedRun, trackers: Mapping[str, TrackerConfig]) -> None:
        self._run, self._configs = run, trackers
        self._lines = (run.folder / "metrics.jsonl").open("a", encoding="utf-8")
        self._trackers: dict[str, Tracker] = {}
        self._full = self._finished = False

    def __enter__(self) -> Self:
        for name, config in self._configs.items():
            with self._guarded(name):
                self._trackers[name] = config.open(self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name in [*self._trackers]:
            with self._guarded(name):
                self._trackers[name].close(self._finished)
        with self._writing():
            self._lines.close()

    @property
    def places(self) -> list[str]:
        """Where the run can be looked at."""
        return [tracker.where for tracker in self._trackers.values() if tracker.where]

    def show(
        self,
        step: int,
        *,
        scalars: Mapping[str, float] | None = None,
        texts: Mapping[str, str] | None = None,
        images: Mapping[str, bytes] | None = None,
        histograms: Mapping[str, Any] | None = None,
    ) -> None:
        """Log to the trackers alone, by tag: scalars, texts, PNG files, and arrays as histograms."""
        self._track(Entry(step, scalars or {}, texts or {}, images or {}, histograms or {}))

    def finish(self, final: Final, progress: Progress) -> None:
        """Log the metrics of the kept weights and the sample."""
        self._line(progress, {f"test/{name}": value for name, value in final.test.items()})
        for name in [*self._trackers]:
            with self._guarded(name):
                self._trackers[name].finish(final)
        self._sync()  # result.json is written only once all of this is on the disk
        self._finished = True

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        self._scalars(progress, scalars)

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        self._scalars(progress, {f"val/{name}": metric.value for name, metric in metrics.items()})
        figures = ", ".join(f"{name} {metric.value:.5g}" for name, metric in metrics.items())
        _log.info("step %d: validation %s%s", progress.step, figures, " (best)" if better else "")

    def saving(self, progress: Progress) -> None:
        # a run that resumes from the checkpoint does not log again what came before it
        self._sync()

    def _sync(self) -> None:
        """Bring everything that was logged so far to where it survives a kill."""
        for name in [*self._trackers]:
            with self._guarded(name):
                self._trackers[name].flush()
        with self._writing():
            self._lines.flush()
            os.fsync(self._lines.fileno())

    def _scalars(self, progress: Progress, scalars: Mapping[str, float]) -> None:
        self._line(progress, scalars)
        self._track(Entry(progress.step, scalars, tokens=progress.tokens, seconds=round(progress.seconds, 3)))

    def _track(self, entry: Entry) -> None:
        for name in [*self._trackers]:
            with self._guarded(name):
                self._trackers[name].log(entry)

    def _line(self, progress: Progress, scalars: Mapping[str, float]) -> None:
        record: dict[str, Any] = {
            "step": progress.step,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 3),
            **scalars,
        }
        with self._writing():
            self._lines.write(json.dumps(finite(record), allow_nan=False) + "\n")
            self._lines.flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self._full:
                self._full = True
                _log.warning("cannot write metrics.jsonl: %s; training continues without it", error.strerror or error)

    @contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """Do without a tracker from its first failure on, whatever that is: a disk, a server, a key, a bug."""
        try:
            yield
        except (Interrupted, LostProcess):  # a second signal, which ends the run
            raise
        except Exception as error:
            said = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
            _log.warning("cannot log to %s: %s; training continues without it", name, said[:300])
            failed = self._trackers.pop(name, None)
            if failed is not None:
                with suppress(Exception):
                    failed.close(finished=False)
