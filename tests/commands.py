"""The command line, as a process or within this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqlab.cli import main

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


def run(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m seqlab WORDS` in `cwd`, with no terminal."""
    return subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-m", "seqlab", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=240,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "dumb", **environment},
    )


def in_process(capsys: Capture, monkeypatch: Patch, *words: str) -> tuple[int, str, str]:
    """The same without a process, for the many small cases: (exit code, stdout, stderr)."""
    monkeypatch.setattr(sys, "argv", ["seqlab", *words])
    with pytest.raises(SystemExit) as end:
        main()
    captured = capsys.readouterr()
    return int(end.value.code or 0), captured.out, captured.err
