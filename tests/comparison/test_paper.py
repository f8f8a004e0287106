"""A comparison for a paper: tables that compile, and a paragraph that leaves nothing out."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from seqlab.comparison.forms import check_form
from seqlab.comparison.options import Tuning
from seqlab.comparison.paper import methods, paper_table, write_paper
from seqlab.drawing.picture import Picture
from seqlab.errors import ConfigError
from tests.comparison.test_report import example_summary


def test_csv_has_every_figure_in_full() -> None:
    summary = example_summary()
    rows = list(csv.DictReader(io.StringIO(paper_table(summary, "csv"))))
    best = summary.rows[0]
    assert [row["model"] for row in rows] == [*(row.label for row in summary.rows), "5-gram", "xz"]
    assert float(rows[0]["bits/char"]) == best.mean
    assert best.interval is not None
    assert (float(rows[0]["95 % low"]), float(rows[0]["95 % high"])) == best.interval
    assert rows[0]["p"] == ""  # the best is held against nothing
    assert float(rows[1]["p"]) == pytest.approx(summary.pairs[0].p_corrected, rel=1e-3)
    assert [row["n"] for row in rows] == ["3", "3", "", ""]


def test_latex_escapes_what_a_user_called_a_model() -> None:
    summary = example_summary()
    odd = "a_b & 50% #1 {x} ~^\\ $"
    summary = replace(
        summary, rows=tuple(replace(row, variant=replace(row.variant, label=odd)) for row in summary.rows[:1])
    )
    text = paper_table(summary, "latex")
    row = next(line for line in text.splitlines() if "a\\_b" in line)
    assert "50\\%" in row
    body = row.removesuffix(r" \\")
    assert len(re.findall(r"(?<!\\)&", body)) == text.splitlines()[1].count("r") - 1  # cells as there are columns
    for special in "%#$":
        assert not re.search(rf"(?<!\\){re.escape(special)}", body)
    assert text.count("{") == text.count("}") or "\\{" in text


def test_markdown_keeps_its_columns() -> None:
    lines = paper_table(example_summary(), "markdown").splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(re.findall(r"\|", lines[0]))}
    assert "bits/char ↓" in lines[0]


def test_the_methods_name_seeds_sizes_budget_search_and_test() -> None:
    summary = example_summary()
    tuned: dict[str, dict[str, float | None]] = {row.label: {"0.001": 2.0, "0.003": 1.9} for row in summary.rows}
    plan = replace(
        summary.plan, tune=Tuning("optim.learning_rate", 0, (0.001, 0.003)), tuned=tuned, data={"corpus": "my.txt"}
    )
    text = methods(replace(summary, plan=plan))
    for part in (
        "rnn", "char_lm (my.txt)", "3 seeds", "body=90k", "60s", "optim.learning_rate", "0.001, 0.003",
        "validation split alone", "the same order",
        "lower is better", "95 % intervals", "Smyth 2004", "two-sided" if len(summary.pairs) > 1 else "training seeds",
    ):  # fmt: skip
        assert part in text, part


def test_files_for_a_paper(tmp_path: Path) -> None:
    def draw(figure: Figure) -> None:
        figure.subplots().plot([1, 2], [1, 2])

    picture = Picture("results", "t", "a", draw)
    place = write_paper(example_summary(), "latex", {"results": picture}, tmp_path)
    assert {path.name for path in place.iterdir()} == {"table.tex", "methods.txt", "results.pdf"}
    assert (place / "results.pdf").read_bytes().startswith(b"%PDF")


def test_a_form_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="--table word") as caught:
        check_form("word")
    assert "latex, markdown, csv" in caught.value.hint
