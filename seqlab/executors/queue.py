"""Slurm's queue, asked where its accounting says nothing final of a job."""

from __future__ import annotations

import getpass
import math
import subprocess
import time

_SECONDS = 30.0
_COMMAND = ("squeue", "--noheader", "--array", "--format=%i", "--user")


class Queue:
    """The jobs of this user that wait or run, by squeue. It knows nothing of those submitted after its first answer."""

    def __init__(self) -> None:
        self._listed: frozenset[str] | None = None
        self._asked = -math.inf

    def has_left(self, number: str) -> bool:
        """Whether a job is certainly not waiting or running; False if squeue cannot say."""
        if time.monotonic() - self._asked > _SECONDS:
            self._listed = _listed()
            self._asked = time.monotonic()
        return self._listed is not None and number not in self._listed


def _listed() -> frozenset[str] | None:
    try:
        found = subprocess.run(
            [*_COMMAND, getpass.getuser()], capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return frozenset(found.stdout.split())
