"""Slurm's queue, asked where its accounting says nothing final of a job."""

from __future__ import annotations

import getpass
import math
import subprocess
import time

_SECONDS = 30.0  # from one question to the next
_PATIENCE_SECONDS = 30.0
_WAITING = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT")
_COMMAND = ("squeue", "--noheader", "--array", "--format=%i %T", "--user")


class Queue:
    """The jobs of this user that wait or run, by squeue. It knows nothing of those submitted after its first answer."""

    def __init__(self) -> None:
        self._listed: dict[str, str] | None = None
        self._asked = -math.inf

    def has_left(self, number: str) -> bool:
        """Whether a job is certainly not waiting or running; False if squeue cannot say."""
        listed = self._recent()
        return listed is not None and number not in listed

    def has(self, number: str) -> bool:
        """Whether a job certainly waits, runs or is suspended; False if squeue cannot say."""
        return number in (self._recent() or {})

    def is_waiting(self, number: str) -> bool:
        """Whether a job waits, maybe again after its node was lost; False if squeue cannot say."""
        return (self._recent() or {}).get(number) in _WAITING

    def _recent(self) -> dict[str, str] | None:
        if time.monotonic() - self._asked > _SECONDS:
            self._listed = _listed()
            self._asked = time.monotonic()
        return self._listed


def _listed() -> dict[str, str] | None:
    """The state of each job, by its number."""
    try:
        found = subprocess.run(
            [*_COMMAND, getpass.getuser()], capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = (line.strip().partition(" ") for line in found.stdout.splitlines())
    return {number: state.strip() for number, _, state in lines}
