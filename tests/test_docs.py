"""No figure of a table in docs/ was typed by hand: each table is what its JSON file gives."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import tables

PAGES = (tables.TOP / "README.md", *sorted((tables.TOP / "docs").glob("*.md")))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_tables_are_what_was_measured(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert tables.fill(text) == text, "python -m benchmarks tables"


def test_a_figure_changed_by_hand_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = {
        "overrides": "model=rnn", "parameters": 1000, "steps": 10, "validation": {"loss": 1.25}, "seconds": 3.0,
        "load": 0.1,
    }  # fmt: skip
    found = {"benchmark": "shakespeare", "runs": [run]}
    (tmp_path / "shakespeare-x.json").write_text(json.dumps(found), encoding="utf-8")
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    page = tables.fill("before\n<!-- table: shakespeare-x.json -->\n\n<!-- end -->\nafter\n")
    assert "| 1.2500 |" in page
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert tables.fill(page) == page
    assert tables.fill(page.replace("1.2500", "1.1500")) == page


def test_a_benchmark_is_asked_for_all_of_its_parts_or_for_some(capsys: pytest.CaptureFixture[str]) -> None:
    known = {"long": 1, "short": 2}
    assert tables.parts(argparse.ArgumentParser(), known, []).parts == ["long", "short"]
    assert tables.parts(argparse.ArgumentParser(), known, ["short"]).parts == ["short"]
    with pytest.raises(SystemExit):
        tables.parts(argparse.ArgumentParser(), known, ["shrot"])
    assert "invalid choice: 'shrot'" in capsys.readouterr().err
