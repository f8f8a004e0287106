"""How threads wait for each other is set before torch is loaded, unless the user has said it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_CODE = """
import os, sys, types
import seqlab.__main__ as entry
class Commands(types.ModuleType):
    def __getattr__(self, name):  # asked for its main once it is imported
        assert "torch" not in sys.modules
        print(os.environ.get("GOMP_SPINCOUNT"), os.environ.get("KMP_BLOCKTIME"))
        sys.exit()
sys.modules["seqlab.cli"] = Commands("seqlab.cli")
entry.main()
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "1000 1"),
        ({"GOMP_SPINCOUNT": "7"}, "7 None"),
        ({"OMP_WAIT_POLICY": "active"}, "None None"),
        ({"KMP_BLOCKTIME": "0"}, "None 0"),
    ],
)
def test_waiting_threads_give_their_cores_away_soon(given: dict[str, str], expected: str) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GOMP_", "OMP_WAIT", "KMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", _CODE], env={**kept, **given}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == expected
