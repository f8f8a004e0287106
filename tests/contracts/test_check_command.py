"""`seqlab check`: every contract by name, and an exit code for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import Capture, Patch, in_process
from tests.conftest import tiny_overrides
from tests.contracts.test_before_training import folder

__all__ = ["folder"]
WORDS = [word for word in tiny_overrides("rnn", "translation") if not word.startswith("model")]


def test_a_leak_is_named_and_the_other_checks_still_run(folder: Path, capsys: Capture, monkeypatch: Patch) -> None:
    words = ["check", "model=zoo", "model.kind=OnePlace", "model.size=4", *WORDS, "--config-dir", str(folder)]
    code, out, said = in_process(capsys, monkeypatch, *words)
    assert (code, said) == (2, "")
    assert "failed  cross decoder: no output depends on a later input" in out
    assert "its output at position 4 depends on the input at position 5 (in training)" in out
    assert "passed  cross decoder: padding changes nothing" in out
    assert "passed  network: the loss falls on one batch" in out
    assert out.splitlines()[-1].startswith("zoo on translation: 1 of ")


@pytest.mark.parametrize("model", ["zoo", "gru"])
def test_a_model_that_meets_the_contracts_passes(model: str, folder: Path, capsys: Capture, monkeypatch: Patch) -> None:
    kind = ["model.kind=Causal"] if model == "zoo" else ["model.width=16"]
    words = ["check", f"model={model}", *kind, *WORDS, "--config-dir", str(folder), "--json"]
    code, out, said = in_process(capsys, monkeypatch, *words)
    assert (code, said) == (0, "")
    checks = json.loads(out)["checks"]
    assert all(check["passed"] and not check["failure"] for check in checks)
    assert {check["part"] for check in checks} == {"encoder", "cross decoder", "network", "meter"}


def test_a_model_that_fails_by_an_error_of_its_own_is_shown(folder: Path, capsys: Capture, monkeypatch: Patch) -> None:
    words = ["check", "model=zoo", "model.kind=Raises", *WORDS, "--config-dir", str(folder)]
    code, out, _ = in_process(capsys, monkeypatch, *words)
    assert code == 2
    assert "ZeroDivisionError: of its own" in out
