"""Tab completion: the candidates, and what three real shells' protocols get."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seqlab.cli.completion import candidates


def _words(word: str, *earlier: str, config_dir: Path | None = None) -> list[str]:
    return [candidate for candidate, _ in candidates(word, list(earlier), config_dir)]


def test_groups_options_and_keys() -> None:
    assert _words("mod") == ["model=gru", "model=lstm", "model=rnn", "model=transformer"]
    assert _words("model=") == ["model=gru", "model=lstm", "model=rnn", "model=transformer"]
    assert _words("model=l") == ["model=lstm"]
    assert {"model=", "task=", "optim=", "device="} <= set(_words(""))
    assert _words("trainer.clip_") == ["trainer.clip_norm=", "trainer.clip_value="]
    assert _words("trainer.clip_n") == ["trainer.clip_norm=1.0"]
    assert _words("++trainer.clip_n") == ["++trainer.clip_norm=1.0"]
    assert "model.heads=4" in _words("model.hea", "model=transformer")
    assert _words("model.heads", "model=lstm") == []
    assert _words("task.bidir", "task=sentiment") == ["task.bidirectional=true", "task.bidirectional=false"]


def test_a_users_own_options_are_offered(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("# @package _global_\n")
    assert "model=mine" in _words("model=", config_dir=tmp_path)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["seqlab", "train", "model", "=", "ls"], "lstm"),
        (["seqlab", "train", "model", "="], "=gru"),
        (["seqlab", "train", "model", "=", "gru", "task", "=", "sent"], "sentiment"),
        (["seqlab", "train", "trainer.max_st"], "trainer.max_steps="),
    ],
)
def test_bash_gets_what_stands_after_the_equals_sign(line: list[str], expected: str) -> None:
    environment = {
        **os.environ,
        "_SEQLAB_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(line),
        "COMP_CWORD": str(len(line) - 1),
    }
    code = "import sys; sys.argv = ['seqlab']; from seqlab.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    found = [word.strip() for word in done.stdout.splitlines()]
    assert any(word.startswith(expected.lstrip("=")) for word in found), (done.stdout, done.stderr)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_whole_words(shell: str) -> None:
    environment = {
        **os.environ,
        "_SEQLAB_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "seqlab train model=ls",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    code = "import sys; sys.argv = ['seqlab']; from seqlab.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "model=lstm" in done.stdout, (done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("predict la", ["last"]),
        ("evaluate best:s", ["best:sentiment"]),
        ("inspect m", []),  # views come after the runs
        ("inspect last me", ["memory"]),
        ("inspect last best:c", ["best:char_lm"]),
        ("predict runs/", []),  # the shell's own completion of files quotes what needs it
        (f"predict --config-dir {'x' * 300} la", []),  # a name too long for a folder
    ],
)
def test_names_for_runs_and_views_are_offered(line: str, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "runs" / "char_lm").mkdir(parents=True)
    environment = {
        **os.environ,
        "_SEQLAB_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_ARGS": f"seqlab {line}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    code = "import sys; sys.argv = ['seqlab']; from seqlab.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )
    assert [line.split("\t")[0] for line in done.stdout.split("\n") if line] == expected, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("train model = ls", ["lstm"]),
        ("predict la", ["last"]),
        ("predict be", []),  # bash would stop at the colon
        ("inspect best : s", []),  # not the view `states`
        ("inspect last st", ["states"]),
    ],
)
def test_a_real_bash_completes(words: str, expected: list[str], tmp_path: Path) -> None:
    """The script that `seqlab --show-completion` prints, sourced by bash, which splits words at `=` and `:`."""
    (tmp_path / "seqlab").write_text(f'#!/bin/sh\nexec {sys.executable} -m seqlab "$@"\n')
    (tmp_path / "seqlab").chmod(0o755)
    code = "from typer.completion import get_completion_script as g; print(g(prog_name='seqlab', complete_var='_SEQLAB_COMPLETE', shell='bash'))"  # noqa: E501
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    script = f"""{made}
COMP_WORDS=(seqlab {words}); COMP_CWORD={len(words.split())}; COMP_LINE='seqlab {words}'; COMP_POINT=${{#COMP_LINE}}
_seqlab_completion seqlab; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert done.stdout.split() == expected, (done.stdout, done.stderr)
