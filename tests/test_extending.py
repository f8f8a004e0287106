"""docs/add_a_model.md and add_a_task.md: their commands work, in an empty folder, and their code is not made up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
TEXT = "\n".join((TOP / f"docs/{page}.md").read_text(encoding="utf-8") for page in ("add_a_model", "add_a_task"))
SOURCES = (*(TOP / "seqlab/config/templates").rglob("module.txt"), *(TOP / "docs/examples").rglob("*.py"))


def _commands() -> str:
    return "".join(_blocks("bash"))


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_every_command_of_the_pages_works(tmp_path: Path) -> None:
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


def test_the_pages_begin_with_nothing_and_come_to_a_comparison() -> None:
    lines = _commands().splitlines()
    assert lines[0] == "seqlab new model mine"
    assert "seqlab new task latch" in lines
    assert lines[-1].startswith("seqlab compare mine ")


def test_their_code_is_that_of_templates_and_examples() -> None:
    sources = [path.read_text(encoding="utf-8") for path in SOURCES]
    shown = _blocks("python")
    assert len(shown) > 6
    assert [piece for piece in shown if not any(piece in source for source in sources)] == []
