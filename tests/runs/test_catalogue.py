"""`seqlab runs`: found, sorted, shown, told apart."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from seqlab.core.task import Task
from seqlab.errors import CheckpointError
from seqlab.runs.catalogue import find_runs, named_run, pinned_start
from tests.commands import Capture, Patch, in_process
from tests.conftest import CORPUS_TASKS, has_setting, tiny_config, tiny_task


def _run(
    root: Path, name: str, *, task: str = "char_lm", model: str = "rnn", value: float | None = 2.0, **more: Any
) -> Path:
    """The files of a fake run, as far as the command reads them. The best on validation is the worst on test."""
    folder = root / "runs" / task / model / name
    folder.mkdir(parents=True)
    seed = more.pop("seed", 0)
    if "facts" in more:
        (folder / "environment.json").write_text(json.dumps(more.pop("facts")))
    settings = "".join(f"  {key}: {value}\n" for key, value in more.pop("settings", {}).items())
    (folder / "config.yaml").write_text(
        f"names:\n  model: {model}\n  task: {task}\nmodel:\n  width: 16\nseed: {seed}\n"
        + (f"task:\n{settings}" if settings else "")
    )
    (folder / "overrides.txt").write_text(f"model={model}\n")
    if value is not None:
        metric, higher = ("accuracy", True) if task == "sentiment" else ("bits_per_character", False)
        metric, higher = more.pop("judged", (metric, higher))
        unit = "" if higher else "bits/char"
        result = {
            "primary": metric, "test": {metric: 4 - value, "loss": value},
            "validation": {metric: value, "loss": 1 / value},
            "metrics": {
                metric: {"unit": unit, "higher_is_better": higher},
                "loss": {"unit": "", "higher_is_better": False},
            },
            "parameters": 1000, "steps": 10, "seconds": 2.5, "tokens_per_second": 4e4, "best_step": 10, **more,
        }  # fmt: skip
        (folder / "result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: Patch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_best_first_whatever_the_direction(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    for name, value in (("b", 2.1), ("a", 2.3), ("c", 1.9)):
        _run(root, name, value=value)
    for name, value in (("x", 0.7), ("y", 0.8)):
        _run(root, name, task="sentiment", value=value)
    _run(root, "stopped", value=None)
    code, out, _ = in_process(capsys, monkeypatch, "runs", "--json")
    assert code == 0
    names = [Path(run["folder"]).name for run in json.loads(out)]
    assert names == ["c", "b", "a", "y", "x", "stopped"]
    _, out, _ = in_process(capsys, monkeypatch, "runs", "--task", "char_lm", "--sort", "loss", "--json")
    assert [Path(run["folder"]).name for run in json.loads(out)] == ["a", "b", "c", "stopped"]
    _, out, err = in_process(capsys, monkeypatch, "runs")
    assert "bits/char" in out
    assert "no result" in out
    assert "runs/char_lm/rnn/c" in out
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--sort", "nothing"], "sort by: time, model"),
        (["--sort", "tiem"], "did you mean --sort time?"),
        (["--sort", "los"], "did you mean --sort loss?"),
        (["--task", "nothing"], "tasks: char_lm"),
        (["--task", "char-lm"], "did you mean --task char_lm?"),
        (["show", "best:char_ml"], "did you mean best:char_lm?"),
        (["show", "nowhere"], "is not the folder of a run"),
        (["--runs-dir", "x" * 300], "cannot look for runs in"),
        (["diff", "runs/char_lm/rnn/a"], "missing argument"),
    ],
)
def test_mistakes_are_said_in_three_lines(
    root: Path, capsys: Capture, monkeypatch: Patch, words: list[str], part: str
) -> None:
    _run(root, "a")
    code, out, err = in_process(capsys, monkeypatch, "runs", *words)
    assert code in (2, 4)
    assert out == ""
    assert part in err.lower()
    assert len(err.strip().splitlines()) <= 3


def test_no_runs_and_damaged_runs(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    code, out, _ = in_process(capsys, monkeypatch, "runs")
    assert code == 0
    assert "seqlab train" in out
    _run(root, "good")
    (_run(root, "empty") / "result.json").write_text("{}")
    (_run(root, "list") / "result.json").write_text("[1]")
    (_run(root, "config") / "config.yaml").write_text("names: [")
    (_run(root, "text") / "config.yaml").write_text("words")
    code, out, err = in_process(capsys, monkeypatch, "runs")
    assert code == 0
    assert out.count("no result") == 2
    assert err.count("left out: ") == 2


def test_show_and_diff(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    long = "texts/" + "x" * 60 + ".txt"
    a, b = _run(root, "a", value=2.0), _run(root, "b", model="gru", value=1.5, seed=3)
    for folder, corpus in ((a, "python_docs"), (b, long)):
        with (folder / "config.yaml").open("a") as file:
            file.write(f"task:\n  corpus: {corpus}\n")
    (a / "samples.txt").write_text("once upon [bold]a time\n")
    os.utime(a / "result.json", (2**31,) * 2)  # the last
    code, out, _ = in_process(capsys, monkeypatch, "runs", "show", "last")
    assert code == 0
    assert "rnn on char_lm, seed 0" in out
    assert "once upon [bold]a time" in out
    code, out, _ = in_process(capsys, monkeypatch, "runs", "diff", str(a), str(b))
    assert code == 0
    assert "python_docs" in out
    assert long in "".join(line.split()[-1] for line in out.splitlines() if "x" * 10 in line)
    assert "-0.5000" in out
    assert "width" not in out
    _, out, _ = in_process(capsys, monkeypatch, "runs", "diff", str(a), str(b), "--json")
    found = json.loads(out)
    assert found["config"]["seed"] == [0, 3]
    assert found["figures"]["validation.bits_per_character"] == [2.0, 1.5]
    assert found["figures"]["test.loss"] == [2.0, 1.5]


def _data(corpus: str, splits: str = "s") -> dict[str, str]:
    return {"data_sha256": corpus * 64, "heldout_sha256": splits * 64}


def _listed(capsys: Capture, monkeypatch: Patch, *words: str) -> list[tuple[str, str]]:
    code, out, _ = in_process(capsys, monkeypatch, "runs", *words, "--json")
    assert code == 0
    return [(Path(run["folder"]).name, run["group"]) for run in json.loads(out)]


def test_of_equal_runs_the_loss_and_then_the_newer_decide(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    kinds = {"accuracy": {"unit": "", "higher_is_better": True}, "loss": {"unit": "", "higher_is_better": False}}
    for age, (name, loss) in enumerate((("worse", 2.0), ("newer", 0.5), ("older", 0.5))):
        reached = {"accuracy": 0.9, "loss": loss}
        folder = _run(root, name, task="sentiment", validation=reached, test=reached, metrics=kinds)
        os.utime(folder / "result.json", (2**30 - age,) * 2)
    assert [name for name, _ in _listed(capsys, monkeypatch)] == ["newer", "older", "worse"]
    assert named_run("best:sentiment").name == "newer"


def test_runs_with_other_corpora_splits_or_metrics_are_not_ranked_together(
    root: Path, capsys: Capture, monkeypatch: Patch, caplog: pytest.LogCaptureFixture
) -> None:
    """A BLEU of 67.3 cannot be compared with an exact match of 1.0, nor bits of one text with those of another."""
    match, bleu = ("exact_match", True), ("bleu", True)
    easy = {"corpus": "easy.txt", "train_share": 0.8}
    hard = {"corpus": "hard.txt", "train_share": 0.8}
    pairs: dict[str, Any] = {"task": "translation", "facts": _data("a")}
    made = [
        _run(root, "m1", value=1.0, judged=match, settings={"metric": "exact_match"}, **pairs),
        _run(root, "b1", value=67.3, judged=bleu, settings={"metric": "bleu"}, **pairs),
        _run(root, "m2", value=0.5, judged=match, settings={"metric": "exact_match"}, **pairs),
        _run(root, "x", value=1.0, facts=_data("b"), settings={**easy, "batch_size": 8}),
        _run(root, "y", value=2.0, facts=_data("c"), settings={**hard, "batch_size": 4}),
        _run(root, "z", value=3.0, facts=_data("c"), settings={**hard, "batch_size": 8}),
        _run(root, "w", value=1.5, facts=_data("c", "t"), settings={**hard, "train_share": 0.9}),
        _run(root, "stopped", value=None, facts=_data("b"), settings=easy),
    ]
    for age, folder in enumerate(made):
        os.utime(folder / ("result.json" if folder.name != "stopped" else "config.yaml"), (2**30 - age,) * 2)
    assert _listed(capsys, monkeypatch) == [
        ("x", "char_lm, corpus easy.txt, train_share 0.8"),
        ("y", "char_lm, corpus hard.txt, train_share 0.8"),
        ("z", "char_lm, corpus hard.txt, train_share 0.8"),
        ("w", "char_lm, corpus hard.txt, train_share 0.9"),
        ("m1", "translation, metric exact_match"),
        ("m2", "translation, metric exact_match"),
        ("b1", "translation, metric bleu"),
        ("stopped", "char_lm, corpus easy.txt, train_share 0.8"),
    ]
    _, out, _ = in_process(capsys, monkeypatch, "runs")
    tables = [table.splitlines() for table in out.strip().split("\n\n")]
    assert [len(table) for table in tables] == [4, 4, 3, 4, 3]  # a title, headings, and a line a run
    assert "no result" in tables[0][-1]
    # the best of those that are judged as the newest is, and it is said
    assert named_run("best:translation").name == "m1"
    assert "the best of 2 runs on translation, metric exact_match" in caplog.text
    os.utime(made[1] / "result.json", (2**30 + 1,) * 2)
    assert named_run("best:translation").name == "b1"
    caplog.clear()
    _run(root, "alone", task="sentiment", value=0.7)
    assert named_run("best:sentiment").name == "alone"
    assert caplog.text == ""
    _, out, _ = in_process(capsys, monkeypatch, "runs", "diff", str(made[3]), str(made[4]))
    assert "not comparable: the data, the splits or the metric differ" in out


def test_none_as_init_from_is_refused_unless_a_run_has_that_name(root: Path) -> None:
    with pytest.raises(CheckpointError, match="init_from=none: ") as error:
        pinned_start("none", root / "runs")
    assert error.value.hint == "null turns it off: init_from=null"
    run = _run(root, "none")
    assert pinned_start("none", root / "runs") == [f"init_from={run}"]


def test_a_corpus_and_its_copy_are_one_group_under_both_names(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    """And no other group loses its name."""
    for name, corpus, data, more in (
        ("a", "d/1984.csv", "a", {}),
        ("b", "d/reviews (1).csv", "a", {}),
        ("c", "c.csv", "c", {"train_share": 0.9}),
        ("d", "c.csv", "d", {}),  # what stood there later
        ("e", "e.csv", "e", {"validation_corpus": "v.csv"}),
    ):
        settings = {"corpus": corpus, "train_share": 0.8, "validation_corpus": "null", **more}
        _run(root, name, value=1.0, facts=_data(data), settings=settings)
    assert dict(_listed(capsys, monkeypatch)) == {
        "a": "char_lm, corpus d/1984.csv or d/reviews (1).csv, train_share 0.8, validation_corpus null",
        "b": "char_lm, corpus d/1984.csv or d/reviews (1).csv, train_share 0.8, validation_corpus null",
        "c": "char_lm, corpus c.csv, train_share 0.9, validation_corpus null",
        "d": "char_lm, corpus c.csv, train_share 0.8, validation_corpus null",
        "e": "char_lm, corpus e.csv, train_share 0.8, validation_corpus v.csv",
    }
    _run(
        root,
        "f",
        value=1.0,
        facts=_data("f"),
        settings={"corpus": "e.csv", "train_share": 0.8, "validation_corpus": "v.csv"},
    )
    found = dict(_listed(capsys, monkeypatch))
    assert (
        found["f"] == "char_lm, corpus e.csv, train_share 0.8, validation_corpus v.csv, data ffffffff, splits ssssssss"
    )
    assert found["a"] == "char_lm, corpus d/1984.csv or d/reviews (1).csv, train_share 0.8, validation_corpus null"


def test_old_runs_are_ranked_together_if_their_task_settings_are_equal(
    root: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    """They do not say what they were judged on, but the settings of their task do."""
    old = {"data_sha256": "a" * 64}
    for name, value, share in (("a", 2.0, 0.8), ("b", 1.0, 0.9), ("c", 1.5, 0.8)):
        _run(root, name, value=value, facts=old, settings={"corpus": "a.txt", "train_share": share})
    found = dict(_listed(capsys, monkeypatch))
    assert found["a"] == found["c"] != found["b"]
    order = [name for name, _ in _listed(capsys, monkeypatch) if name != "b"]
    assert order == ["c", "a"]


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_the_heldout_digest_is_that_of_the_held_out_text(task: str) -> None:
    """Batch sizes do not change it; another cut of the corpus does, and a task that says nothing has its batches."""
    plain = tiny_config("rnn", task)
    other = tiny_config("rnn", task, "task.batch_size=3")
    cut = "task.train_share=0.97" if has_setting("task.train_share", task=task) else "task.split_seed=1"
    recut = tiny_config("rnn", task, cut)
    first = tiny_task(plain).heldout_sha256()
    assert tiny_task(other).heldout_sha256() == first
    assert tiny_task(recut).heldout_sha256() != first
    by_batches = Task.heldout_sha256
    assert by_batches(tiny_task(plain)) == by_batches(plain.task.build()) != by_batches(tiny_task(recut))


def test_a_config_in_the_code_folder_of_a_run_is_no_run(root: Path) -> None:
    before = find_runs(root / "runs")
    code = _run(root, "with_code") / "code" / "configs" / "model"
    code.mkdir(parents=True)
    (code / "config.yaml").write_text("names: {model: mine, task: char_lm}\n")
    (code.parent / "config.yaml").write_text("no: [run\n")
    found, damaged = find_runs(root / "runs")
    assert damaged == before[1]
    assert [run.folder.name for run in found if run not in before[0]] == ["with_code"]


def test_a_run_is_found_by_the_name_that_it_was_given(root: Path, capsys: Capture, monkeypatch: Patch) -> None:
    first, other = _run(root, "v_rnn"), _run(root, "deep", model="lstm")
    runs_dir = root / "runs"
    for name in ("v_rnn", "rnn/v_rnn", "char_lm/rnn/v_rnn", str(first)):
        assert named_run(name, runs_dir) == first
    (root / "deep").mkdir()  # a folder of that name which is no run does not stand before the run
    assert named_run("deep", runs_dir) == other
    for name, hint in (("v_rn", "v_rnn"), ("char_lm/rnn/v_rn", "char_lm/rnn/v_rnn")):
        with pytest.raises(CheckpointError, match="there is no run called") as error:
            named_run(name, runs_dir)
        assert error.value.hint == f"did you mean {hint}?"
    (first / "code" / "model").mkdir(parents=True)  # a model of the user's own that is called config
    (first / "code" / "model" / "config.yaml").touch()
    with pytest.raises(CheckpointError, match=f"model is not the folder of a run, nor the name of one in {runs_dir}"):
        named_run("model", runs_dir)
    _run(root, "v_rnn", model="gru")
    with pytest.raises(CheckpointError, match="2 runs are called v_rnn"):
        named_run("v_rnn", runs_dir)
    assert named_run("rnn/v_rnn", runs_dir) == first
    code, out, _ = in_process(capsys, monkeypatch, "runs", "diff", "deep", "rnn/v_rnn", "--json")
    assert code == 0
    assert json.loads(out)["config"]["names.model"] == ["lstm", "rnn"]
