"""Names of runs: a run must be found again under its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seqlab.errors import ConfigError
from seqlab.insight.views import VIEWS
from seqlab.runs.folder import make_run_folder
from seqlab.runs.names import check_run_name


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("données", "donnees"),
        ("_x", "x"),
        (".hidden", "hidden"),
        ("my run", "my_run"),
        ("lstm/deep", "lstm_deep"),
        ("../x", "x"),
        ("Größe 2", "Groe_2"),
        ("làst", "last-run"),
        ("-", ""),
        ("", ""),
        ("日本", ""),
        ("x\n", "x"),
        ("last", "last-run"),
        ("best", "best-run"),
        *((view, f"{view}-run") for view in VIEWS),
    ],
)
def test_a_name_that_is_refused_gets_the_nearest_that_is_accepted(name: str, plain: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        check_run_name(name, "--name")
    assert error.value.hint == (f"try --name {plain}" if plain else "leave it out: the time is a name too")
    with pytest.raises(ConfigError):
        make_run_folder(tmp_path, "stem", name)
    assert not list(tmp_path.iterdir())
    if plain:
        assert make_run_folder(tmp_path, "stem", plain).name == plain


@pytest.mark.parametrize("name", ["a", "lstm=2", "v1.0", "0-first", "x+y", "latest", "gradients", "last-run"])
def test_valid_names_are_accepted(name: str, tmp_path: Path) -> None:
    assert make_run_folder(tmp_path, "stem", name) == tmp_path / name


def test_names_are_checked_without_torch_and_matplotlib() -> None:
    line = "import sys, seqlab.runs.names; print(sorted({'torch', 'matplotlib'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True).stdout == "[]\n"
