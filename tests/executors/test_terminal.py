"""Ctrl-C on a real terminal, while an engine has runs that go on without the command."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.executors.quick import quick

pytest.importorskip("submitit")
_TOP = Path(__file__).parent.parent.parent


class _Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *command: str) -> None:
        self.end, there = pty.openpty()
        self.seen = ""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command], stdin=there, stdout=there, stderr=there, cwd=_TOP
        )
        os.close(there)

    def wait_for(self, text: str) -> None:
        """Read until it has written this, after what was waited for before."""
        last = time.monotonic() + 120
        while text not in self.seen:
            ready, _, _ = select.select([self.end], [], [], 1)
            assert time.monotonic() < last, self.seen
            if ready:
                try:
                    self.seen += os.read(self.end, 4096).decode()
                except OSError:  # it has ended
                    raise AssertionError(self.seen) from None
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self.end, text.encode())


@pytest.mark.slow
def test_ctrl_c_asks_whether_runs_go_on(tmp_path: Path) -> None:
    there = _Terminal(sys.executable, "-m", "tests.executors.asked", str(tmp_path))
    (job,) = quick(tmp_path, 1)
    for answer, said in (("n", "the runs go on, 130"), ("y", "the runs were stopped, 130")):
        there.wait_for("WATCHING")
        there.type("\x03")
        there.wait_for("Stop them?")
        there.type(f"{answer}\n")
        there.wait_for(f"SAID {said}")
    assert there.process.wait(60) == 0
    os.close(there.end)
    assert len(job.starts()) == 1  # Ctrl-C reaches every process of the terminal, and none of these listened
    with pytest.raises(ProcessLookupError):
        os.kill(int(job.starts()[0][0]), 0)
