"""The two columns of labelled texts, and implausible labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqlab.data.batches import LabelledBatch
from seqlab.data.labels import check_labels, in_order, label_counts, label_warnings, read_labelled
from seqlab.errors import ConfigError, DataError
from seqlab.metrics.classification import ClassificationMeter
from tests.conftest import tiny_config


def _read(path: Path, text: str = "text", label: str = "label", *, header: bool = True) -> list[tuple[str, str]]:
    return read_labelled(path, "task.corpus", text, label, separator=None, header=header)


def test_columns_are_given_by_name_or_number(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id, text ,label\n1,good,yes\n2,bad, no \n")
    expected = [("good", "yes"), ("bad", "no")]
    assert _read(tmp_path / "a.csv") == _read(tmp_path / "a.csv", "2", "3") == expected
    (tmp_path / "b.csv").write_text("2,1\nyes,good\nno,bad\n")  # as pandas names columns without a name
    assert _read(tmp_path / "b.csv", "1", "2") == expected
    with pytest.raises(DataError, match="has no column '4'"):
        _read(tmp_path / "a.csv", "2", "4")
    (tmp_path / "c.csv").write_text("text,text,label\ngood,better,yes\n")
    with pytest.raises(DataError, match="2 columns called 'text'"):
        _read(tmp_path / "c.csv")


@pytest.mark.parametrize("separator", ["\t", ";", ","])
def test_a_missing_header_is_noticed_with_the_settings_that_read_the_file(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "a.txt"
    rows = [(str(n % 2), f"the film number {n} was fine") for n in range(20)]
    path.write_text("".join(f"{label}{separator}{text}\n" for label, text in rows))
    remedy = "try task.header=false task.text_column=2 task.label_column=1"
    for columns in (("text", "label"), ("2", "1")):  # by number, the first row would be lost
        with pytest.raises(DataError, match="has no header") as refused:
            _read(path, *columns)
        assert refused.value.hint == remedy
    assert _read(path, "2", "1", header=False) == [(text, label) for label, text in rows]
    with pytest.raises(DataError, match="is not the number of a column") as refused:
        _read(path, header=False)
    assert "task.text_column=1 task.label_column=2" in refused.value.hint


def test_one_column_names_the_separator(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text~label\ngood~yes\n")
    with pytest.raises(DataError, match="has one column") as refused:
        _read(tmp_path / "a.csv")
    assert "task.separator=" in refused.value.hint


@pytest.mark.parametrize("text", ["good", "good, but long, too"])
def test_a_wrong_separator_is_reported_with_the_right_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(f"text;label\n{text};yes\nbad;no\n")
    for header, columns in ((True, ("text", "label")), (False, ("1", "2"))):
        with pytest.raises(DataError, match="line 1: it is not separated by ',' but by ';'") as refused:
            read_labelled(tmp_path / "a.csv", "task.corpus", *columns, separator=",", header=header)
        assert refused.value.hint == "try task.separator=';', or drop task.separator"
    (tmp_path / "b.csv").write_text("text\tlabel\ngood\tyes\n")
    with pytest.raises(DataError) as refused:
        read_labelled(tmp_path / "b.csv", "task.corpus", "text", "label", separator=";", header=True)
    assert refused.value.hint == "try task.separator=tab, or drop task.separator"


@pytest.mark.parametrize(
    ("header", "said", "remedy"),
    [
        (
            "Text,Label",
            "no column 'text' and no column 'label'",
            "try task.text_column=Text task.label_column=Label",
        ),
        ("id,texts,LABELS", "'text' and no column 'label'", "try task.text_column=texts task.label_column=LABELS"),
        ("id,Text,label", "has no column 'text'", "try task.text_column=Text"),
        ("text,sentiment", "has no column 'label'", "try task.label_column=sentiment"),
        ("the sentiment,Text", "no column 'label'", "try task.text_column=Text 'task.label_column=the sentiment'"),
        (
            "review,sentiment",
            "no column 'text' and no column 'label'",
            "try task.text_column=NAME task.label_column=NAME, or the number of a column",
        ),
        ("id,text,sentiment", "has no column 'label'", "try task.label_column=NAME, or the number of a column"),
    ],
)
def test_missing_columns_are_reported_together(tmp_path: Path, header: str, said: str, remedy: str) -> None:
    (tmp_path / "a.csv").write_text(header + "\n" + f"good{',x' * header.count(',')}\n")
    with pytest.raises(DataError, match=said) as refused:
        _read(tmp_path / "a.csv")
    assert refused.value.hint == remedy
    assert refused.value.allowed == f"columns: {header.replace(',', ', ')}"


def test_missing_cells_are_reported_all_at_once(tmp_path: Path) -> None:
    rows = [(f"film {n}" if n % 10 else " ", "" if n % 7 == 0 else "yes") for n in range(1, 31)]
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    with pytest.raises(DataError) as refused:
        _read(tmp_path / "a.csv")
    assert "3 without a text (lines 11, 21, 31); 4 without a label (lines 8, 15, 22, 29)" in refused.value.what
    assert "30 rows in all" in refused.value.hint


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"yes": 30}, "has only 1 label"),
        ({"1": 46, "1.0": 54, "0": 100}, r"'1' \(46 rows\) and '1.0' \(54 rows\) are one number"),
        ({"01": 20, "1": 20}, "one number"),
        ({f"{n / 7:.3f}": 10 for n in range(300)}, "300 labels are all numbers"),
        ({f"id-{n}": 1 for n in range(100)}, "100 different labels in 100 rows"),
    ],
)
def test_implausible_labels_are_refused(counts: dict[str, int], said: str) -> None:
    with pytest.raises(DataError, match=said):
        check_labels(counts, "my.csv", "label")


def test_doubtful_labels_are_warned_of() -> None:
    counts = {"pos": 100, "neg": 100, "Pos": 1, "neutral?": 9, "nan": 40}
    check_labels(counts, "my.csv", "label")
    missing, rare = label_warnings(counts)
    assert "40 rows have the label 'nan'" in missing
    assert "2 of 5 labels have fewer than 10 rows: 'Pos' (1), 'neutral?' (9)" in rare
    assert label_warnings({"0": 10, "1": 10}) == []


def test_numeric_labels_are_in_numeric_order() -> None:
    assert in_order(["10", "9", "-1", "2.5"]) == ["-1", "2.5", "9", "10"]
    assert in_order(["10", "9", "b"]) == ["10", "9", "b"]
    assert label_counts({"10": 1000, "9": 3}) == "9 3, 10 1,000"


def test_confusion_counts_are_in_numeric_order() -> None:
    meter: ClassificationMeter[LabelledBatch] = ClassificationMeter(("1", "10", "2"), ["a", "b", "c"], "accuracy")
    meter.pairs = [torch.tensor([[0, 1], [1, 1], [2, 0]])]
    assert meter.details()["confusion"] == {
        "1": {"1": 0, "2": 0, "10": 1},
        "2": {"1": 1, "2": 0, "10": 0},
        "10": {"1": 0, "2": 0, "10": 1},
    }
    assert list(meter.details()["confusion"]) == ["1", "2", "10"]
    assert np.array([list(row.values()) for row in meter.details()["confusion"].values()]).sum() == 3


def test_a_run_describes_its_labels(tmp_path: Path) -> None:
    rows = "".join(f"film number {n},{'yes' if n % 2 else 'no'}\n" for n in range(40)) + "typing error,yess\n"
    (tmp_path / "a.csv").write_text("text,label\n" + rows)
    task: Any = tiny_config("rnn", "sentiment", f"task.corpus={tmp_path / 'a.csv'}").task.build()
    assert task.describe()["labels"] == "no 20, yes 20, yess 1"
    assert any("'yess' (1)" in warning for warning in task.warnings())


def test_a_separator_is_one_character() -> None:
    assert tiny_config("rnn", "sentiment", "task.separator=tab").task.separator == "\t"  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="one character, or the word tab"):
        tiny_config("rnn", "sentiment", "task.separator=comma")
