"""Tab completion: the candidates, and what three real shells' protocols get."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seqlab.cli.completion import candidates
from tests.commands import Capture, Patch, in_process
from tests.conftest import MODELS, TASKS

FISH = {"_SEQLAB_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}


def _words(word: str, *earlier: str, config_dir: Path | None = None) -> list[str]:
    return [candidate for candidate, _ in candidates(word, list(earlier), config_dir)]


def _asked(capsys: Capture, monkeypatch: Patch, **environment: str) -> str:
    """What the program prints to a shell that asks in these variables."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    _, out, err = in_process(capsys, monkeypatch)
    assert err == ""
    return out


def test_groups_options_and_keys() -> None:
    assert _words("mod") == [f"model={model}" for model in MODELS]
    assert _words("model=") == [f"model={model}" for model in MODELS]
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
def test_bash_gets_the_part_after_the_equals_sign(
    line: list[str], expected: str, capsys: Capture, monkeypatch: Patch
) -> None:
    said = _asked(
        capsys, monkeypatch, _SEQLAB_COMPLETE="complete_bash", COMP_WORDS="\n".join(line), COMP_CWORD=str(len(line) - 1)
    )
    found = [word.strip() for word in said.splitlines()]
    assert any(word.startswith(expected.lstrip("=")) for word in found), said


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_whole_words(shell: str, capsys: Capture, monkeypatch: Patch) -> None:
    line = {"_TYPER_COMPLETE_ARGS": "seqlab train model=ls", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    said = _asked(capsys, monkeypatch, _SEQLAB_COMPLETE=f"complete_{shell}", **line)
    assert "model=lstm" in said


def _offered(capsys: Capture, monkeypatch: Patch, line: str) -> list[str]:
    """The words that fish is offered."""
    environment = {**FISH, "_TYPER_COMPLETE_ARGS": f"seqlab {line}"}
    return [word.split("\t")[0] for word in _asked(capsys, monkeypatch, **environment).split("\n") if word]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("predict la", ["last"]),
        ("evaluate best:s", [f"best:{task}" for task in TASKS if task.startswith("s")]),
        ("inspect m", []),  # views come after the runs
        ("inspect last me", ["memory"]),
        ("inspect last best:c", [f"best:{task}" for task in TASKS if task.startswith("c")]),
        ("predict runs/", []),  # the shell's own completion of files quotes what needs it
        (f"predict --config-dir {'x' * 300} la", []),  # a name too long for a folder
    ],
)
def test_names_for_runs_and_views_are_offered(
    line: str, expected: list[str], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    (tmp_path / "runs" / "char_lm").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert _offered(capsys, monkeypatch, line) == expected


@pytest.fixture
def named_runs(tmp_path: Path) -> Path:
    """Runs with names of their own, and two that only their model tells apart."""
    for run in (
        "runs/char_lm/rnn/v_deep", "runs/char_lm/gru/twice", "runs/char_lm/lstm/twice", "runs/char_lm/lstm/v a",
        "runs/compare/c/wide=2/seed-0", "elsewhere/char_lm/rnn/v_else",
    ):  # fmt: skip
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "config.yaml").touch()
    (tmp_path / "runs/char_lm/rnn/v_deep/code/model").mkdir(parents=True)
    (tmp_path / "runs/char_lm/rnn/v_deep/code/model/config.yaml").touch()
    return tmp_path


NAMED = [
    ("predict v", ["v_deep"]),  # not what a shell would have to quote
    ("predict --runs-dir elsewhere v", ["v_else"]),
    ("evaluate tw", []),  # would be two runs
    ("evaluate gru/", ["gru/twice"]),
    ("resume char_lm/r", ["char_lm/rnn/v_deep"]),
    ("inspect last w", ["wide=2/seed-0"]),
    ("runs rm v_deep gr", ["gru/twice"]),
    ("runs diff last v", ["v_deep"]),
    ("runs tag v", ["v_deep"]),
    ("compare v", ["v_deep"]),
    ("compare w", []),  # compare would take it for an override
    ("compare runs_dir=elsewhere v", ["v_else"]),
    ("compare gr", ["gru", "gru/twice"]),
    ("train init_from=v", ["init_from=v_deep"]),
    ("train init_from=l", ["init_from=last", "init_from=lstm/twice"]),
    ("train init_from=best:c", [f"init_from=best:{task}" for task in TASKS if task.startswith("c")]),
]


@pytest.mark.parametrize(("line", "expected"), NAMED)
def test_names_of_runs_are_offered(
    line: str, expected: list[str], named_runs: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.chdir(named_runs)
    assert _offered(capsys, monkeypatch, line) == expected


def test_a_process_offers_names_without_torch(named_runs: Path) -> None:
    code = (
        "import os, sys; sys.argv = ['seqlab']; from seqlab.cli import main\n"
        "for line in sys.stdin.read().splitlines():\n"
        "    os.environ['_TYPER_COMPLETE_ARGS'] = f'seqlab {line}'\n"
        "    try: main()\n"
        "    except SystemExit as end: print(f'={end.code}')\n"
        "    assert 'torch' not in sys.modules, line\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input="\n".join(line for line, _ in NAMED), capture_output=True, text=True,
        env={**os.environ, **FISH}, cwd=named_runs, check=True,
    )  # fmt: skip
    said = [word.split("\t")[0] for word in done.stdout.splitlines() if word]
    assert said == [word for _, expected in NAMED for word in (*expected, "=0")]
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("train model = ls", ["lstm"]),
        ("predict la", ["last"]),
        ("predict be", []),  # bash would stop at the colon
        ("inspect best : s", []),  # not the view `states`
        ("inspect last st", ["states"]),
        ("predict v_", ["v_deep"]),
        ("predict wi", []),  # bash would stop at the sign
        ("train init_from = v", ["v_deep"]),
        ("compare rnn v_", ["v_deep"]),
        ("compare rnn task = v", []),
        ("compare rnn task = sen", ["sentiment"]),
        ("compare best : v", []),
    ],
)
def test_a_real_bash_completes(
    words: str, expected: list[str], tmp_path: Path, named_runs: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    """The script that `seqlab --show-completion` prints, sourced by bash, which splits words at `=` and `:`."""
    (tmp_path / "seqlab").write_text(f'#!/bin/sh\nexec {sys.executable} -m seqlab "$@"\n')
    (tmp_path / "seqlab").chmod(0o755)
    with monkeypatch.context() as patch:
        made = _asked(capsys, patch, _SEQLAB_COMPLETE="source_bash")
    script = f"""{made}
COMP_WORDS=(seqlab {words}); COMP_CWORD={len(words.split())}; COMP_LINE='seqlab {words}'; COMP_POINT=${{#COMP_LINE}}
_seqlab_completion seqlab; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=named_runs,
    )
    assert done.stdout.split() == expected, (done.stdout, done.stderr)
