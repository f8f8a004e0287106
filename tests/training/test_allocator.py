"""Freed memory is reused, and not requested again page by page from the system."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
from seqlab.training.allocator import keep_memory

torch.set_num_threads(1)
if sys.argv[1] == "keep":
    keep_memory()
    keep_memory()
before = 0
for step in range(30):
    if step == 20:  # glibc finds a place that fits only after some turns
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16_000_000)  # larger than what glibc ever keeps by itself
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_pages_are_kept() -> None:
    # as users have it, whatever this process was started with
    plain = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    faults = {
        how: int(
            subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, check=True, env=plain).stdout
        )
        for how in ("keep", "leave")
    }
    pages = 16_000_000 * 4 // os.sysconf("SC_PAGE_SIZE")
    assert faults["keep"] < pages / 10  # in ten turns
    assert faults["leave"] > pages
