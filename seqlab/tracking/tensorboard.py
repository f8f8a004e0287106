"""TensorBoard: event files in the run's folder."""

from __future__ import annotations

from pathlib import Path

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.tracking.tracker import Kept, TrackedRun, Tracker, TrackerConfig


@config_dataclass(frozen=True, kw_only=True)
class TensorBoardConfig(TrackerConfig):
    """Settings of `logging=tensorboard`."""

    def open(self, run: TrackedRun) -> Tracker:
        from seqlab.tracking.events import TensorBoard  # imports what only training needs

        return TensorBoard(run)

    def rewind(self, folder: Path, kept: Kept) -> None:
        from seqlab.tracking.events import rewind_events

        rewind_events(folder, kept)
