"""`seqlab evaluate --corpus`: a stored run on another file, with its own vocabulary and labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqlab.core.other_corpus import with_test_corpus
from seqlab.core.task import Task
from seqlab.errors import ConfigError
from seqlab.runs.run import open_run
from seqlab.runs.train import train
from tests.commands import Capture, Patch, in_process
from tests.conftest import CORPUS_TASKS, on_corpus, tiny_config, tiny_task


@pytest.fixture
def trained(tmp_path: Path, table: Callable[..., Path], capsys: Capture, monkeypatch: Patch) -> Callable[[str], Path]:
    """Trains a task on corpus.tsv with own.tsv as its test split."""
    monkeypatch.chdir(tmp_path)

    def made(task: str) -> Path:
        own = table("own.tsv", rows=40, start=500)
        own.write_text(own.read_text(encoding="utf-8") + "ein Film ¿ÆØ\tgood\n", encoding="utf-8")
        corpora = on_corpus(task, table("corpus.tsv"), test_corpus=own)
        config = tiny_config("gru", task, *corpora, "device=cpu", f"runs_dir={tmp_path / 'runs'}")
        folder = train(config, name="a", checked=True).folder
        capsys.readouterr()  # what training warns of
        return folder

    return made


def _evaluated(capsys: Capture, monkeypatch: Patch, *words: str) -> dict[str, Any]:
    code, out, err = in_process(capsys, monkeypatch, "evaluate", *words, "--json")
    assert code == 0, err
    said: dict[str, Any] = json.loads(out)
    return said


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_the_test_file_alone_gives_the_figures_of_the_test_split(
    task: str, trained: Callable[[str], Path], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    run = trained(task)
    split = _evaluated(capsys, monkeypatch, str(run))
    (tmp_path / "corpus.tsv").unlink()  # which nobody needs from here on
    own = _evaluated(capsys, monkeypatch, str(run), "--corpus", "own.tsv")
    same = ("values", "interval", "details", "item_count", "unknown", "primary", "metrics", "step")
    assert {key: own[key] for key in same} == {key: split[key] for key in same}
    assert (own["corpus"], split["corpus"]) == ("own.tsv", None)
    unknown = list(own["unknown"].values())
    assert all(0 < entry["count"] < entry["of"] for entry in unknown[:1])
    items = Path(own["items"])
    assert items.parent == run / "evaluation"
    assert items.name.startswith("corpus-own.tsv-")
    assert items.read_text(encoding="utf-8") == Path(split["items"]).read_text(encoding="utf-8")
    code, out, err = in_process(capsys, monkeypatch, "evaluate", str(run), "--corpus", "own.tsv")
    assert (code, err) == (0, "")
    assert "the whole of own.tsv" in out
    assert "not seen in training: " in out


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_other_files_have_items_of_their_own_and_do_not_change_the_run(
    task: str, trained: Callable[[str], Path], table: Callable[..., Path], capsys: Capture, monkeypatch: Patch
) -> None:
    run = trained(task)
    before = {path: path.read_bytes() for path in run.rglob("*.json")}
    names = set()
    for folder, start in (("x", 900), ("y", 950)):  # two files of one name
        other = table("other.tsv", rows=90, start=start)
        other.parent.joinpath(folder).mkdir()
        said = _evaluated(
            capsys, monkeypatch, str(run), "--corpus", str(other.rename(other.parent / folder / "b c.tsv"))
        )
        names.add(Path(said["items"]).name)
        assert said["test_is_validation"] is False
        low, high = said["interval"]
        assert low <= said["values"][said["primary"]] <= high
    assert len(names) == 2
    assert all(name.startswith("corpus-b_c.tsv-") for name in names)
    assert {path: path.read_bytes() for path in run.rglob("*.json")} == before


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_corpus_errors_have_at_most_three_lines(
    task: str, trained: Callable[[str], Path], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    run = trained(task)
    (tmp_path / "short.tsv").write_text("x", encoding="utf-8")
    (tmp_path / "latin.tsv").write_bytes(b"text\tlabel\n" + "dé\tgood\n".encode("latin-1") * 30)
    for words, code in (
        (("--corpus", str(tmp_path / "missing.tsv")), 3),
        (("--corpus", str(tmp_path / "short.tsv")), 3),
        (("--corpus", str(tmp_path / "latin.tsv")), 3),
        (("--corpus", str(tmp_path)), 3),
        (("--corpus", "nowhere"), 3),
        (("--corpus", "own.tsv", "--split", "test"), 2),
    ):
        found, out, err = in_process(capsys, monkeypatch, "evaluate", str(run), *words)
        assert (found, out) == (code, ""), (words, err)
        assert err.startswith("error:")
        assert "--corpus" in err
        assert len(err.splitlines()) <= 3
    assert not list(run.glob("evaluation/corpus-*"))


def test_unknown_labels_are_counted(
    trained: Callable[[str], Path], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    run = trained("sentiment")
    (tmp_path / "new.tsv").write_text("text\tlabel\nwell\tmixed\nfine\tgood\nso\tmixed\n", encoding="utf-8")
    code, _, err = in_process(capsys, monkeypatch, "evaluate", str(run), "--corpus", "new.tsv")
    assert code == 3
    assert "--corpus=new.tsv has 1 label not seen in training: 'mixed' (2)" in err
    assert "labels: good, poor" in err


def test_another_file_may_have_other_columns(
    trained: Callable[[str], Path], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    """The suggested settings read the file, and the figures equal those of the same rows in the run's own format."""
    run = str(trained("sentiment"))
    rows = [line.split("\t") for line in (tmp_path / "own.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    (tmp_path / "new.csv").write_text("Text;sentiment\n" + "".join(f"{t};{la}\n" for t, la in rows), encoding="utf-8")
    (tmp_path / "bare.csv").write_text("".join(f"{label}~{text}\n" for text, label in rows), encoding="utf-8")
    code, _, err = in_process(capsys, monkeypatch, "evaluate", run, "--corpus", "new.csv")
    assert code == 3
    advice = "task.text_column=Text task.label_column=sentiment"
    assert f"try {advice}" in err
    own = _evaluated(capsys, monkeypatch, run, "--corpus", "own.tsv")
    new = _evaluated(capsys, monkeypatch, run, "--corpus", "new.csv", *advice.split())
    bare = ("task.header=false", "task.separator=~", "task.text_column=2", "task.label_column=1")
    other = _evaluated(capsys, monkeypatch, run, "--corpus", "bare.csv", *bare)
    assert own["values"] == new["values"] == other["values"]
    assert Path(new["items"]).read_text(encoding="utf-8") == Path(own["items"]).read_text(encoding="utf-8")


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_other_settings_are_refused_with_those_that_may_be_given(
    task: str, trained: Callable[[str], Path], capsys: Capture, monkeypatch: Patch
) -> None:
    run = trained(task)
    reading = open_run(run).config.task.reading_settings
    may = [f"task.{name}" for name in reading] or ["no settings for reading a file"]
    corpus = ("--corpus", "own.tsv")
    for words in (
        ("task.corpus=own.tsv",),
        (*corpus, "model.width=8"),
        (*corpus, "optim.lr=1"),
        (*corpus, "own.tsv"),
        *((f"task.{name}=1",) for name in reading),
    ):
        code, _, err = in_process(capsys, monkeypatch, "evaluate", str(run), *words)
        assert code == 2
        assert all(name in err for name in may), err
        assert len(err.splitlines()) <= 3
    for name in reading:
        code, _, err = in_process(capsys, monkeypatch, "evaluate", str(run), *corpus, f"task.{name[:-1]}=1")
        assert code == 2
        assert f"did you mean task.{name}=1?" in err


def test_incomplete_pairs_are_no_items(
    trained: Callable[[str], Path], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    run = trained("translation")
    (tmp_path / "a.en").write_text("a fine film\n\na dull film\n", encoding="utf-8")
    (tmp_path / "a.fr").write_text("good\npoor\n\n", encoding="utf-8")
    code, out, _ = in_process(capsys, monkeypatch, "evaluate", str(run), "--corpus", "a.en,a.fr", "--json")
    assert code == 0
    assert json.loads(out)["item_count"] == 1
    (tmp_path / "a.en").write_text("\n\na dull film\n", encoding="utf-8")
    (tmp_path / "a.fr").write_text("good\n\n\n", encoding="utf-8")
    code, _, err = in_process(capsys, monkeypatch, "evaluate", str(run), "--corpus", "a.en,a.fr", "--json")
    assert code == 3
    assert "no pair has both a source and a translation" in err


def test_a_task_without_other_corpora_is_a_config_error() -> None:
    config = tiny_config("gru", CORPUS_TASKS[0])

    class Plain(Task[Any]):
        """What every task has, and nothing else."""

        batches, build_network = type(tiny_task(config)).batches, type(tiny_task(config)).build_network
        meter, describe = type(tiny_task(config)).meter, type(tiny_task(config)).describe

    with pytest.raises(ConfigError, match=r"--corpus=own\.tsv: Plain can be evaluated on its own corpus only"):
        with_test_corpus(Plain(), "own.tsv", "--corpus", config.task)
