"""A module and a YAML file added to seqlab itself, with nothing else changed, work in commands and contract tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seqlab.config.new import write_new
from tests.conftest import MODELS, TASKS

TOP = Path(__file__).parent.parent.parent
WORDS = [
    "model=added_model", "task=added_task", "model.width=8", "trainer.max_steps=4", "device=cpu", "device.threads=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """seqlab with one more model and task."""
    top = tmp_path_factory.mktemp("copy")
    for folder in ("seqlab", "configs", "tests", "benchmarks"):
        shutil.copytree(TOP / folder, top / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", top)
    for kind, name in (("model", "added_model"), ("task", "added_task")):
        written = write_new(kind, name, top / "begun")
        written["module"].rename(top / "seqlab" / f"{kind}s" / f"{name}.py")
        text = written["config"].read_text(encoding="utf-8").replace(f" {name}.", f" seqlab.{kind}s.{name}.")
        (top / "configs" / kind / f"{name}.yaml").write_text(text, encoding="utf-8")
    return top


def _run(copy: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


_COMMANDS = """
import contextlib, io, json, sys
from seqlab.cli import main
said = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["seqlab", *words]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main()
        except SystemExit as end:
            assert not end.code, words
    said.append(out.getvalue())
print(json.dumps(said))
"""


def test_commands_list_check_train_and_compare_them(copy: Path) -> None:
    compared = ["compare", "added_model", "rnn", *WORDS[1:], "--dry-run"]
    commands = [["list", "--json"], ["check", *WORDS], ["train", *WORDS, "--json"], compared]
    said = json.loads(_run(copy, "-c", _COMMANDS, json.dumps(commands)))  # one process that knows this copy
    listed = json.loads(said[0])
    assert "added_model" in listed["models"]
    assert "added_task" in listed["tasks"]
    assert said[1].splitlines()[-1].startswith("added_model on added_task: all ")
    assert json.loads(said[2])["steps"] == 4
    assert "added_model" in said[3]


def test_contract_tests_cover_them(copy: Path) -> None:
    """With every model and on every task, beside ours."""
    place = "tests/contracts/test_every_pair.py::test_every_contract_is_met"
    out = _run(copy, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", place)
    pairs = [(model, task) for model in (*MODELS, "added_model") for task in (*TASKS, "added_task")]
    assert {line for line in out.splitlines() if "::" in line} == {f"{place}[{model}-{task}]" for model, task in pairs}
    out = _run(copy, "-m", "pytest", "-p", "no:cacheprovider", f"{place}[added_model-added_task]")
    assert "1 passed" in out
