"""The claims of docs/reliability.md at the sizes of the test suite: real kills, full disks, wrong and hostile input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_no_work_is_lost_and_no_lie_is_told() -> None:
    command = [sys.executable, "-m", "benchmarks.reliability", "--saves", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = [line.split("|")[2:4] for line in done.stdout.splitlines() if line.startswith("| ")][2:]
    assert len(counted) >= 9
    assert all(int(right.replace(",", "")) == int(of.replace(",", "")) > 0 for right, of in counted)
