"""`seqlab predict`: which run, its output line by line, and unknown tokens."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import pytest

from seqlab.cli.predicting import read_lines
from seqlab.errors import CheckpointError, DataError
from seqlab.runs.catalogue import named_run
from tests.commands import Capture, Patch, in_process
from tests.conftest import TASKS
from tests.runs.test_catalogue import _run


@pytest.fixture
def here(trained_runs: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(trained_runs)


@pytest.mark.usefixtures("here")
def test_a_language_model_continues_its_prompt(capsys: Capture, monkeypatch: Patch) -> None:
    words = ("predict", "best:char_lm", "The ", "--length", "30")
    code, out, err = in_process(capsys, monkeypatch, *words)
    assert (code, err) == (0, "run: runs/char_lm/gru/a\n")
    assert out.startswith("The ")
    assert len(out) == len("The ") + 30 + 1
    assert in_process(capsys, monkeypatch, *words)[1] == out
    assert in_process(capsys, monkeypatch, *words, "--seed", "1")[1] != out
    _, plain, _ = in_process(capsys, monkeypatch, *words, "--json")
    assert json.loads(plain) == {"text": "The ", "continuation": out[4:-1], "unknown": [], "cut": False}
    likeliest = [in_process(capsys, monkeypatch, *words, "--top-k", "1", "--seed", seed)[1] for seed in "01"]
    assert likeliest[0] == likeliest[1]


@pytest.mark.usefixtures("here")
def test_a_classifier_names_its_label(capsys: Capture, monkeypatch: Patch) -> None:
    code, out, err = in_process(capsys, monkeypatch, "predict", "best:sentiment", "a fine film", "qqzzq \u00df\u00df")
    assert code == 0
    assert len(out.splitlines()) == 2
    assert "negative" in out
    assert "%" in out
    assert "not seen in training: 'qqzzq'" in err
    _, out, _ = in_process(capsys, monkeypatch, "predict", "best:sentiment", "qqzzq", "--json")
    said = json.loads(out)
    assert sum(said["probabilities"].values()) == pytest.approx(1.0)
    assert said["label"] == max(said["probabilities"], key=lambda label: said["probabilities"][label])
    assert said["unknown"] == ["qqzzq"]


@pytest.mark.usefixtures("here")
def test_a_translator_searches_with_beams(capsys: Capture, monkeypatch: Patch) -> None:
    words = ("predict", "best:translation", "two days", "in", "--json")
    code, out, _ = in_process(capsys, monkeypatch, *words)
    assert code == 0
    one = [json.loads(line)["translation"] for line in out.splitlines()]
    _, out, _ = in_process(capsys, monkeypatch, *words, "--beam", "1")
    assert [json.loads(line)["translation"] for line in out.splitlines()] == one
    code, out, _ = in_process(capsys, monkeypatch, *words, "--beam", "4", "--length-penalty", "0.6")
    assert (code, len(out.splitlines())) == (0, 2)
    code, _, err = in_process(capsys, monkeypatch, *words, "--beam", "0")
    assert code == 2
    assert "beam" in err


def _stdin(monkeypatch: Patch, raw: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(raw)), "utf-8"))


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("task", ["char_lm", "sentiment", "translation"])
def test_each_input_line_gives_one_output_line_and_blank_lines_stay_blank(
    task: str, capsys: Capture, monkeypatch: Patch
) -> None:
    lines = b"\xef\xbb\xbfa fine film\r\n\r\n  \t \r\na bad film\r\nend"
    run = f"runs/{task}/gru/a"
    _stdin(monkeypatch, lines)
    code, out, err = in_process(capsys, monkeypatch, "predict", run, "--json")
    assert (code, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["text"] for row in rows] == ["a fine film", "", "  \t ", "a bad film", "end"]
    for row in rows[1:3]:
        assert row == {"text": row["text"], "prediction": None, "unknown": [], "cut": False}
    assert all("prediction" not in row and row["unknown"] == [] for row in (rows[0], *rows[3:]))
    _stdin(monkeypatch, b"a fine film\n\n  \t \na bad film\nend\n")
    assert in_process(capsys, monkeypatch, "predict", run, "--json")[1] == out  # neither mark nor line ends matter
    _stdin(monkeypatch, lines)
    # at this temperature every character is as likely, line ends too
    options = ("--length", "400", "--temperature", "1000") if task == "char_lm" else ()
    code, out, err = in_process(capsys, monkeypatch, "predict", run, *options)
    assert (code, err) == (0, "")
    assert [bool(line) for line in out.split("\n")] == [True, False, False, True, True, False]
    if task == "char_lm":
        assert "\\n" in out
    else:
        assert len(in_process(capsys, monkeypatch, "predict", run, "a", " ", "b")[1].splitlines()) == 3


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (b"", []),
        (b"one", ["one"]),
        (b"one\n\ntwo\n", ["one", "", "two"]),
        (b"\xef\xbb\xbfone\r\ntwo\r\n", ["one", "two"]),
        (b"one\rhalf\ntwo\n", ["one\rhalf", "two"]),  # a lone carriage return ends no line
        (b"one\rtwo\r", ["one", "two"]),  # unless there is nothing else
        ("\u00e9\u2028\u4e2d\x85\r\n\n\u00e9".encode("utf-16"), ["\u00e9\u2028\u4e2d\x85", "", "\u00e9"]),
        (b"\xfe\xff" + "a\nb\n".encode("utf-16-be"), ["a", "b"]),
    ],
)
def test_lines_are_read_as_training_reads_them(raw: bytes, lines: list[str]) -> None:
    assert list(read_lines(io.BufferedReader(io.BytesIO(raw)))) == lines


def test_a_line_of_another_encoding_is_refused_with_its_number_after_those_before_it() -> None:
    russian = "Этот суп был очень вкусный"
    lines = read_lines(io.BufferedReader(io.BytesIO(b"un\ndeux\n" + russian.encode("cp1251") + b"\n")))
    assert [next(lines), next(lines)] == ["un", "deux"]
    with pytest.raises(DataError, match="line 3 of the input is not UTF-8: byte 0xdd") as refused:
        next(lines)
    assert refused.value.lines()[1].endswith(f"iconv -f WINDOWS-1251 -t UTF-8 ({russian!r})")  # the likeliest first


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("task", "most", "unit"), [("sentiment", 256, "words"), ("translation", 127, "characters")])
def test_a_truncated_text_is_reported(task: str, most: int, unit: str, capsys: Capture, monkeypatch: Patch) -> None:
    run = f"runs/{task}/gru/a"
    for over in (0, 3):
        text = " ".join("a" * (most + over)) if unit == "words" else "a" * (most + over)
        code, _, err = in_process(capsys, monkeypatch, "predict", run, text)
        assert code == 0
        assert err == f"cut: only the first {most} of {most + 3} {unit} are read (task.max_length)\n" * (over > 0)
        _, plain, _ = in_process(capsys, monkeypatch, "predict", run, text, "--json")
        assert json.loads(plain)["cut"] is (over > 0)
    _stdin(monkeypatch, f"a\n{text}\n".encode())
    assert "line 2: cut: " in in_process(capsys, monkeypatch, "predict", run)[2]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("task", "option", "value"),
    [
        ("char_lm", "--beam", "2"),
        ("char_lm", "--length-penalty", "0.0"),
        ("sentiment", "--length", "200"),  # also where it is the default
        ("sentiment", "--beam", "2"),
        ("sentiment", "--seed", "1"),
        ("translation", "--temperature", "0.5"),
        ("translation", "--top-k", "3"),
        ("translation", "--top-p", "0.9"),
        ("translation", "--length-penalty", "0.6"),  # there is no beam
    ],
)
def test_an_option_without_effect_is_refused(
    task: str, option: str, value: str, capsys: Capture, monkeypatch: Patch
) -> None:
    code, out, err = in_process(capsys, monkeypatch, "predict", f"runs/{task}/gru/a", "a", option, value)
    assert (code, out) == (2, "")
    assert f"{option} has no effect" in err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("best:char_lm", ""), 3, "nothing to continue"),
        (("best:char_lm", "a", "--temperature", "-1"), 2, "temperature of -1"),
        (("best:char_lm", "a", "--top-p", "2"), 2, "top-p of 2"),
        (("best:chess", "a"), 4, f"tasks: {', '.join(TASKS)}"),
        (("nowhere", "a"), 4, "nowhere"),
    ],
)
def test_invalid_options_are_reported(
    words: tuple[str, ...], code: int, said: str, capsys: Capture, monkeypatch: Patch
) -> None:
    got, out, err = in_process(capsys, monkeypatch, "predict", *words)
    assert (got, out) == (code, "")
    assert said in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 3


def test_last_and_best_find_the_right_runs(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    runs_dir = tmp_path / "runs"
    with pytest.raises(CheckpointError, match="there is no run"):
        named_run("last", runs_dir)
    better, worse = _run(tmp_path, "b", value=1.9), _run(tmp_path, "a", value=2.2)
    stopped = _run(tmp_path, "c", value=None)
    for age, folder in enumerate((stopped, worse, better)):
        for path in folder.iterdir():
            os.utime(path, (time.time() - 100 * (3 - age),) * 2)
    assert named_run("last", runs_dir) == better
    os.utime(stopped / "config.yaml")
    assert named_run("last", runs_dir) == stopped
    assert named_run("best:char_lm", runs_dir) == better
    assert named_run(str(worse), runs_dir) == worse
    for name, hint in (
        ("last:char_lm", "did you mean last?"),
        ("lats", "did you mean last?"),
        ("best:", "did you mean best:TASK?"),
        ("bset:char_lm", "did you mean best:char_lm?"),
        ("x" * 300, "see what there is: seqlab runs"),
    ):
        with pytest.raises(CheckpointError) as error:
            named_run(name, runs_dir)
        assert hint in error.value.hint
    (tmp_path / "lats").mkdir()  # what is there is no typing error
    with pytest.raises(CheckpointError) as error:
        named_run("lats", runs_dir)
    assert "give one such as" in error.value.hint
