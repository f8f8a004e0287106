"""`seqlab new`: what it writes is complete, works with every command, and passes its own tests and our linters."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from seqlab.config.new import KINDS
from seqlab.config.run import load_run_config
from seqlab.config.sources import VARIABLE, group_files
from tests.commands import Capture, Patch, in_process, run

TOP = Path(__file__).parent.parent.parent
MINE = ["model=my_model", "task=my_task", "device=cpu", "device.threads=1", "trainer.max_steps=4", "model.width=8"]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which one of each has been begun, and nothing else."""
    root = tmp_path_factory.mktemp("fresh")
    for kind in KINDS:
        done = run("new", kind, f"my_{kind}", cwd=root)
        assert (done.returncode, done.stderr) == (0, "")
    return root


def _ran(root: Path, *words: str, **environment: str) -> str:
    plain = {"MYPYPATH": f"my_configs:{TOP}", "OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": ""}
    environment = {**os.environ, **plain, **environment}
    done = subprocess.run([sys.executable, *words], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_writes_a_module_its_yaml_and_its_tests(fresh: Path) -> None:
    written = {path.relative_to(fresh).as_posix() for path in fresh.rglob("*") if path.suffix in (".py", ".yaml")}
    assert written == {
        f"my_configs/{place}"
        for kind in KINDS
        for place in (f"my_{kind}.py", f"test_my_{kind}.py", f"{kind}/my_{kind}.yaml")
    }
    for kind in KINDS:
        assert f"my_{kind}" in group_files(kind, fresh / "my_configs")
    code = (fresh / "my_configs" / "my_model.py").read_text()
    assert len(code.splitlines()) <= 65
    assert "h_t = (1 - a) h_{t-1}" in code


def test_it_works_with_every_command_beside_ours(fresh: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(fresh)
    monkeypatch.setenv(VARIABLE, "my_configs")

    def said(*words: str) -> str:
        code, out, err = in_process(capsys, monkeypatch, *words)
        assert code == 0, err
        return out

    assert said("check", *MINE).splitlines()[-1].endswith(" passed")
    assert json.loads(said("train", *MINE, "--name", "a", "--json"))["steps"] == 4
    longer = json.loads(said("resume", "a", "trainer.max_steps=6", "--json"))
    assert longer["steps"] == 6
    assert "every bit" in said("resume", "a", "--verify")
    assert said("predict", "a", "hagbed").strip() in "abcdefgh"
    said("evaluate", "a")
    said("inspect", "a")
    compared = said("compare", "my_model", "gru", *MINE[1:], "--seeds", "1")
    assert "my_model" in compared
    assert len(list(Path("runs").rglob("result.json"))) == 3


def test_a_model_learns_the_task(fresh: Path, tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    """The generated model and task work together: far better than the chance of one letter in eight."""
    monkeypatch.chdir(tmp_path)
    words = [*MINE[:4], "model.width=32", "task.length=4", "trainer.max_steps=150", "optim.learning_rate=0.01"]
    _, out, err = in_process(
        capsys, monkeypatch, "train", *words, "--config-dir", str(fresh / "my_configs"), "--json", "--quiet"
    )
    assert json.loads(out)["test"]["accuracy"] > 0.5, err


def test_the_generated_tests_pass(fresh: Path) -> None:
    """Those of contracts take long: tests/test_extending.py."""
    out = _ran(fresh, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "my_configs", "-k", "not contract")
    assert "4 passed" in out


@pytest.mark.slow
def test_its_types_hold(fresh: Path) -> None:
    modules = [word for kind in KINDS for word in ("-p", f"my_{kind}", "-p", f"test_my_{kind}")]
    cache = f"--cache-dir={TOP / '.mypy_cache'}"  # that of our own code, most of what it reads
    _ran(fresh, "-m", "mypy", cache, "--config-file", str(TOP / "pyproject.toml"), *modules)


def test_the_generated_code_passes_our_linters(fresh: Path) -> None:
    config = ("--no-cache", "--config", str(TOP / "pyproject.toml"), ".")
    _ran(fresh / "my_configs", "-m", "ruff", "check", *config)
    _ran(fresh / "my_configs", "-m", "ruff", "format", "--check", *config)


@pytest.mark.parametrize("kind", KINDS)
def test_the_commands_it_suggests_work(kind: str, tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    """Also for a folder whose name needs quotes and does not exist yet."""
    monkeypatch.chdir(tmp_path)
    code, out, _ = in_process(capsys, monkeypatch, "new", kind, f"other_{kind}", "--in", "my own/configs")
    assert code == 0
    wrote, _, after = out.partition("next:\n")
    assert all(Path(line.partition("  ")[0]).is_file() for line in wrote.splitlines())
    commands = [shlex.split(line) for line in after.splitlines()]
    assert [words[:2] for words in commands[1:]] == [["seqlab", "check"], ["seqlab", "train"], ["seqlab", "compare"]]
    assert Path(commands[0][-1]).is_file()
    for words in commands[1:]:
        assert words[-2:] == ["--config-dir", "my own/configs"]
        overrides = [word for word in words if "=" in word]
        assert load_run_config(overrides, Path(words[-1])).names["model"]
    code, _, err = in_process(capsys, monkeypatch, *commands[-1][1:], "--dry-run")
    assert code == 0, err


def test_it_writes_into_the_folder_of_the_variable_or_the_option(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "elsewhere")  # it need not be there yet
    assert in_process(capsys, monkeypatch, "new", "model", "begun")[0] == 0
    assert in_process(capsys, monkeypatch, "new", "model", "begun", "--in", "here")[0] == 0
    assert sorted(path.as_posix() for path in Path().rglob("begun.yaml")) == [
        "elsewhere/model/begun.yaml",
        "here/model/begun.yaml",
    ]


def test_nothing_is_overwritten(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("my_configs/begun.py", "my_configs/test_begun.py"):
        Path("my_configs").mkdir(exist_ok=True)
        Path(place).write_text("own\n")
        code, out, err = in_process(capsys, monkeypatch, "new", "model", "begun")
        assert (code, out) == (2, "")
        assert f"{place} already exists" in err
        assert [path.read_text() for path in Path("my_configs").rglob("*")] == ["own\n"]
        Path(place).unlink()
    assert in_process(capsys, monkeypatch, "new", "model", "begun")[0] == 0
    before = {path: path.read_bytes() for path in Path().rglob("*.*")}
    assert in_process(capsys, monkeypatch, "new", "model", "begun")[0] == 2
    assert in_process(capsys, monkeypatch, "new", "task", "begun")[0] == 2  # it would be the same module
    assert {path: path.read_bytes() for path in Path().rglob("*.*")} == before


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["modle", "x"], ["'modle' is neither a model nor a task", "did you mean model?"]),
        (["dataset", "x"], ["'dataset' is neither", "seqlab new task NAME"]),
        (["model", "my-model"], ["'my-model' cannot name a Python module", "try: seqlab new model my_model"]),
        (["model", "My Model"], ["cannot name", "my_model"]),
        (["task", "2nd"], ["cannot name"]),
        (["task", ""], ["cannot name"]),
        (["task", "../x"], ["cannot name", "try: seqlab new task x"]),
        (["model", "gru"], ["there is already a model called 'gru'", "seqlab list"]),
        (["task", "char_lm"], ["there is already a task called 'char_lm'"]),
        (["model", "json"], ["already a Python module called 'json'", "my_json"]),
        (["model", "torch"], ["already a Python module called 'torch'"]),
        (["model", "seqlab"], ["already a Python module called 'seqlab'"]),
        (["model", "lambda"], ["'lambda' has another meaning", "my_lambda"]),
        (["model", "null"], ["'null' has another meaning"]),
        (["model", "last"], ["'last' has another meaning"]),
        (["model", "memory"], ["'memory' has another meaning"]),  # a view
        (["task", "model"], ["'model' has another meaning"]),
        (["model"], ["missing argument 'name'", "see: seqlab new --help"]),
        (["model", "x", "--into", "y"], ["no such option --into", "see: seqlab new --help"]),
        (["model", "x", "--in", "file"], ["cannot write into", "--in FOLDER"]),
    ],
)
def test_mistakes_are_reported_and_write_nothing(
    words: list[str], parts: list[str], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    code, out, err = in_process(capsys, monkeypatch, "new", *words)
    assert (code, out) == (6 if "file" in words else 2, "")
    assert len(err.splitlines()) <= 3
    for part in parts:
        assert part.lower() in err.lower()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_of_the_same_name_does_no_harm(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    """Python would take a folder in the current one for a package."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("begun").mkdir()
    assert in_process(capsys, monkeypatch, "new", "model", "begun")[0] == 0
    assert load_run_config(["model=begun"], Path("my_configs")).names["model"] == "begun"
