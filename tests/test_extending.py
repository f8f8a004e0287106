"""docs/extending.md: its commands work as written, in order, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"


def _commands() -> str:
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return "".join(blocks)


@pytest.mark.slow
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    python = f'"{sys.executable}"'
    script = f'python() {{ {python} "$@"; }}\nseqlab() {{ {python} -m seqlab "$@"; }}\n{_commands()}'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "TERM": "dumb", "PYTEST_ADDOPTS": "-p no:cacheprovider -W error"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("mine.py", "model/mine.yaml", "test_mine.py", "latch.py", "task/latch.yaml", "test_latch.py"):
        assert (tmp_path / "my_configs" / name).is_file()
    assert "failed" not in done.stdout
    assert len(list((tmp_path / "runs").rglob("result.json"))) == 2 + 4  # two trainings, two models with two seeds
    assert (tmp_path / "runs" / "latch" / "mine").is_dir()
    assert list((tmp_path / "runs").rglob("report.html"))


def test_the_page_begins_with_nothing_and_comes_to_a_comparison() -> None:
    lines = _commands().splitlines()
    assert lines[0] == "seqlab new model mine"
    assert "seqlab new task latch" in lines
    assert lines[-1].startswith("seqlab compare mine ")
