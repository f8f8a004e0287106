"""Runs that take no time: a real process with the files, the lock, the signals and the exit codes of a run."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from seqlab.executors.job import Job

_PROGRAM = Path(__file__).with_name("quick_run.py")


@dataclass
class QuickJob(Job):
    """steps: of a twentieth of a second. fails: the step at which it ends with an error."""

    steps: int = 3
    fails: int = 0

    def command(self, *options: str) -> list[str]:
        about = [str(self.folder), str(self.steps), str(self.fails), json.dumps(self.all_overrides())]
        return [sys.executable, "-P", str(_PROGRAM), *about, *options]

    def starts(self) -> list[list[str]]:
        """Of each process that worked on it: its id, the number of its cores, its GPUs."""
        return [line.split(" ") for line in (self.folder / "starts").read_text().splitlines()]


def quick(root: Path, count: int, steps: int = 3, fails: int = 0, *overrides: str) -> list[QuickJob]:
    """So many runs in `root`."""
    return [
        QuickJob("run", 0, root / f"run-{index}", overrides, None, steps=steps, fails=fails) for index in range(count)
    ]
