"""Processes that work beside each other."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from seqlab.data.pool import mapping


def test_results_come_in_order() -> None:
    for processes in (1, 2):
        with mapping(processes) as mapped:
            assert mapped(abs, [-1, 2, -3]) == [1, 2, 3]


def test_no_process_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    work = f"import time; held = open({str(pipe)!r}, 'w'); held.write('x'); held.flush(); time.sleep(120)"
    source = f"from seqlab.data.pool import mapping\nwith mapping(2) as mapped: mapped(exec, [{work!r}])"
    parent = subprocess.Popen([sys.executable, "-c", source])
    with pipe.open("rb", buffering=0) as held:
        assert held.read(1) == b"x"
        parent.kill()
        parent.wait()
        assert select.select([held], [], [], 60)[0], "the process still works"
        assert held.read(1) == b""
