"""One of many runs: the command that makes it, and its state as read from its folder."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from seqlab.checkpoints.files import STATE
from seqlab.checkpoints.retention import checkpoints_in
from seqlab.config.overrides import is_logging
from seqlab.config.run import read_run_config, with_trackers
from seqlab.core.files import discard, read_json, write_text
from seqlab.errors import CheckpointError, NumericError
from seqlab.runs.folder import read_overrides, read_result
from seqlab.runs.lock import locked
from seqlab.runs.names import ELSEWHERE

Status = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass
class Job:
    """One run to be made in `folder`, and how far it is.

    trial: the setting that distinguishes it from other runs of its label, such as optim.learning_rate=0.01 in a search;
    '' if the seed does. divergence_is_final: a diverged run is a result and is not repeated. estimated_seconds: of the
    whole run, by the plan; 0 if unknown. resumed: whether the last process resumed the run. load: the machine's mean
    load average during the run. seconds: since its start. code: its exit code. lines: what it has logged so far.
    """

    label: str
    seed: int
    folder: Path
    overrides: tuple[str, ...]
    config_dir: Path | None
    status: Status = "waiting"
    reason: str = ""
    code: int = 0
    trial: str = ""
    divergence_is_final: bool = False
    estimated_seconds: float = 0.0
    resumed: bool = False
    load: float | None = None
    seconds: float = 0.0
    step: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)
    _read: int = 0
    _file: int = 0

    @property
    def name(self) -> str:
        """Its name in lists of runs."""
        return f"{self.label}, {self.trial or f'seed {self.seed}'}"

    def command(self, *options: str) -> list[str]:
        """The command that makes the run, continues it, or leaves it alone if it is complete. options: further ones of
        `seqlab make` (cli/making.py)."""
        where = [] if self.config_dir is None else ["--config-dir", str(self.config_dir)]
        final = ["--divergence-is-final"] if self.divergence_is_final else []
        given = ["--folder", str(self.folder), *where, *final, *options, "--", *self.all_overrides()]
        # -P: a file in the user's folder that has the name of a Python module must not be imported in its place
        return [sys.executable, "-P", "-m", "seqlab", "make", *given]

    def clear(self) -> None:
        """Remove what a stopped run left behind. Raises LockedError while somebody is making it."""
        if self.folder.exists():
            with locked(self.folder):
                discard(self.folder)

    def renew_logging(self) -> None:
        """Give the stopped run the trackers that are wanted now; resumed runs take those of their config.yaml. Raises
        LockedError while somebody is making it."""
        wanted, path = self.all_overrides(), self.folder / "config.yaml"
        if [*filter(is_logging, read_overrides(self.folder))] == [*filter(is_logging, wanted)]:
            return
        with locked(self.folder):
            stored = read_run_config(path, self.config_dir)
            write_text(path, with_trackers(stored, wanted).yaml)
            write_text(self.folder / "overrides.txt", "".join(f"{word}\n" for word in wanted))

    def all_overrides(self) -> list[str]:
        """Its overrides with its seed."""
        return [*self.overrides, f"seed={self.seed}"]

    def is_complete(self) -> bool:
        """Whether it has its result. Raises CheckpointError if the folder's run has other settings."""
        if read_result(self.folder) is None:
            return False
        self._check_same()
        return True

    def is_started(self) -> bool:
        """Whether it has been started. Raises CheckpointError if the folder's run has other settings."""
        if not (self.folder / "config.yaml").is_file():
            return False
        self._check_same()
        return True

    def is_resumable(self) -> bool:
        """Whether it was stopped half-way and can be resumed. A diverged run starts again: continuing after the batch
        at which it ended would be another run."""
        return self.is_started() and not self._diverged()

    def has_ended(self) -> bool:
        """Whether there is nothing left to do: it has its result, or it has diverged and that is final. Sets status,
        code and reason accordingly."""
        if self.is_complete():
            self.status = "done"
        elif self.divergence_is_final and self.is_started() and self._diverged():
            self.status, self.code, self.reason = "failed", NumericError.exit_code, "training diverged"
        return self.status in ("done", "failed")

    def _diverged(self) -> bool:
        """Whether its last step ended it, because a loss or gradient was not finite."""
        try:
            kept = checkpoints_in(self.folder / "checkpoints")
            return bool(kept and read_json(kept[-1] / STATE)["progress"].get("failed"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False  # the run itself reports that it cannot be read

    def _check_same(self) -> None:
        made, wanted = (
            [word for word in words if not is_logging(word)]
            for words in (read_overrides(self.folder), self.all_overrides())
        )
        if made != wanted:
            raise CheckpointError(f"{self.folder} was made with other settings", ELSEWHERE)

    def forget_log(self) -> None:
        """Drop what was read of its log, before it is started again."""
        self._file, self._read, self.lines, self.step = 0, 0, [], 0

    def read_log(self) -> None:
        """Read the lines that it has logged since the last call."""
        try:
            with (self.folder / "metrics.jsonl").open("rb") as file:
                facts = os.fstat(file.fileno())
                if facts.st_ino != self._file or facts.st_size < self._read:  # a resumed run cuts its log back
                    self._file, self._read, self.lines = facts.st_ino, 0, []
                file.seek(self._read)
                complete, newline, _ = file.read().rpartition(b"\n")
        except OSError:
            return
        self._read += len(complete) + len(newline)
        self.lines += [json.loads(line) for line in complete.splitlines()]
        self.step = self.lines[-1]["step"] if self.lines else 0
