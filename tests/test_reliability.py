"""The claims of docs/reliability.md at the sizes of the test suite: real kills, full disks, wrong and hostile input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reliability.__main__ import measurements

ROOT = Path(__file__).parent.parent


NAMES = list(measurements(ROOT, long=False))


@pytest.mark.slow
@pytest.mark.parametrize("names", [NAMES[place::3] for place in range(3)], ids=" ".join)  # for processes side by side
def test_no_work_is_lost_and_every_error_is_reported(names: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.reliability", "--saves", "0", *(f"--only={name}" for name in names)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=2400)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = [line.split("|")[2:4] for line in done.stdout.splitlines() if line.startswith("| ")][2:]
    assert len(counted) == len(names) >= 3
    assert all(int(right.replace(",", "")) == int(of.replace(",", "")) > 0 for right, of in counted)


_STARVED = """
import resource, sys
from pathlib import Path
from seqlab.runs import train
from seqlab.cli import main
size = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmSize"))
limit = int(size.split()[1]) * 1024 + 400 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
main()
"""


@pytest.mark.slow
def test_running_out_of_memory_names_what_would_help(tmp_path: Path) -> None:
    words = ["train", "model=lstm", "model.width=256", "task.batch_size=4000", "task.window=64", "device=cpu"]
    done = subprocess.run(
        [sys.executable, "-c", _STARVED, *words, "device.threads=1"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 6, done.stderr
    last = [line for line in done.stderr.splitlines() if line][-3:]
    assert last[0].startswith("error: out of memory at step 1, with a batch of inputs_BT (")
    assert "task.batch_size" in last[1]
    assert "nothing was saved yet; continue with: seqlab resume runs/char_lm/lstm/" in last[2]
