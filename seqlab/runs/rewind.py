"""Cut a resumed run's logs back to where they ended when its checkpoint was written."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqlab.core.files import write_text
from seqlab.errors import Interrupted, LostProcess
from seqlab.tracking.tracker import TrackerConfig
from seqlab.training.progress import Progress

_log = logging.getLogger("seqlab")
_OF_THE_END = ("test/", "val_best/", "sample/", "_hparams_/session_end_info")
_OF_A_VALIDATION = ("val/", "samples/", "weights/", "viz/")
_OF_A_LOG_LINE = ("train/", "optim/", "speed/", "watch/")


def rewind_logs(
    folder: Path, progress: Progress | None, trackers: Iterable[TrackerConfig], *, open_interval: bool = False
) -> None:
    """Cut metrics.jsonl and the trackers' files back to their content at `progress` (None: the start of the run).

    open_interval: the checkpoint holds sums that were not logged yet, so its own step was not logged either.

    A tracker's file that cannot be understood causes one warning and stays as it is. Raises OSError.
    """
    earlier = _Earlier(progress, open_interval)
    path = folder / "metrics.jsonl"
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        write_text(path, "".join(filter(earlier.line, lines)))
    for tracker in trackers:
        try:
            tracker.rewind(folder, earlier.record)
        except (OSError, Interrupted, LostProcess):
            raise
        except Exception as error:  # the user may have edited its file
            said = " ".join(str(error).split()) or type(error).__name__
            _log.warning("cannot cut back what %s has logged: %s", type(tracker).__name__, said[:300])


@dataclass(frozen=True)
class _Earlier:
    """Whether a record was in the logs when the checkpoint of `progress` was written."""

    progress: Progress | None
    open_interval: bool

    def record(self, step: int, tags: Sequence[str]) -> bool:
        """A record of this step with these tags."""
        if self.progress is None:
            return False
        here = step == self.progress.step
        later: tuple[str, ...] = _OF_THE_END
        if here and self.progress.evaluated_step != step:  # a signal put the validation off until after the checkpoint
            later += _OF_A_VALIDATION
        if here and self.open_interval:
            later += _OF_A_LOG_LINE
        return step <= self.progress.step and not any(tag.startswith(later) for tag in tags)

    def line(self, text: str) -> bool:
        """A line of metrics.jsonl."""
        try:
            record = json.loads(text)
            return text.endswith("\n") and self.record(record["step"], list(record))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # a kill cut the line short
            return False
