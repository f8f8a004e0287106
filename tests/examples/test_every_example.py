"""What holds for every folder of docs/examples: its types are as strict as our own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
EXAMPLES = sorted(path for path in (TOP / "docs" / "examples").iterdir() if path.is_dir())


@pytest.mark.slow
def test_their_types_hold() -> None:
    modules = [str(path) for example in EXAMPLES for path in example.glob("*.py")]
    command = [sys.executable, "-m", "mypy", "--config-file", str(TOP / "pyproject.toml"), *modules]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=TOP)
    assert len(modules) >= len(EXAMPLES) > 0
    assert checked.returncode == 0, checked.stdout
