"""What a person sees while a comparison runs, and tables that fit."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from seqlab.cli.comparison_display import LiveTable, show_summary
from seqlab.cli.display import fitted
from seqlab.comparison.options import Tuning
from seqlab.comparison.plan import Plan
from seqlab.comparison.wording import tuned_line
from seqlab.executors.job import Job
from tests.comparison.test_report import example_plan, example_summary


def _console(width: int, *, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)


def _said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@given(
    st.lists(st.lists(st.text("abc …é0", max_size=30), min_size=4, max_size=4), min_size=1, max_size=4),
    st.integers(40, 130),
)
def test_a_fitted_table_fits_and_keeps_its_numbers_whole(rows: list[list[str]], width: int) -> None:
    console = _console(width)
    console.print(fitted(width, ("model", "b", "c", "d"), rows))
    lines = _said(console).splitlines()
    assert len(lines) == len(rows) + 1
    assert max(map(len, lines)) <= width
    for row, line in zip(rows, lines[1:], strict=True):
        assert row[1].strip() in line  # labels give way, then the last columns; the first figure never


def _jobs(plan: Plan) -> list[Job]:
    made = [Job(v.label, seed, Path("nowhere"), (), None) for seed in plan.seeds for v in plan.variants]
    values = [{"step": 100 * i, "tokens": i, "seconds": i, "val/bits_per_character": 5.0 - i} for i in (1, 2, 3)]
    made[0].status, made[0].lines, made[0].step, made[0].seconds = "done", values, 300, 9.0
    made[1].status, made[1].reason, made[1].seconds = "failed", "out of memory", 2.0
    made[2].status = "running"
    return made


def test_the_live_table_has_a_row_a_model_and_a_dot_a_seed() -> None:
    plan = example_plan()
    console = _console(80, terminal=True)
    with LiveTable(console, _jobs(plan), plan, "", quiet=False) as table:
        table.update()
    text = _said(console)
    assert "●◐○" in text
    assert "✗○○" in text
    assert "█▅▁" in text
    assert "2.0000" in text
    assert "300/400" in text
    assert "2 of 6 runs" in text


def test_without_a_terminal_each_run_that_ends_is_one_line_said_once() -> None:
    plan = example_plan()
    console = _console(200)
    with LiveTable(console, _jobs(plan), plan, "", quiet=False) as table:
        table.update()
        table.update()
    lines = _said(console).splitlines()
    assert len(lines) == 2
    assert "last validation bits_per_character 2.0000 (0:09); 2 of 6 runs" in lines[0]
    assert "failed: out of memory" in lines[1]
    silent = _console(80)
    with LiveTable(silent, _jobs(plan), plan, "", quiet=True) as table:
        table.update()
    assert _said(silent) == ""


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_summary_fits(width: int) -> None:
    console = _console(width)
    show_summary(example_summary(), console)
    text = _said(console)
    assert max(map(len, text.splitlines())) <= width
    assert "is better than rnn by" in " ".join(text.split())
    assert "failed: rnn, seed 3: out of memory <now>" in " ".join(text.split())


def test_the_terminal_names_models_no_better_than_a_baseline() -> None:
    summary = example_summary()
    (first, *others) = summary.baselines
    worst = 1.0 if summary.metric.higher_is_better else 0.0  # as a baseline: unbeatable
    metric = replace(first.metrics[summary.primary], value=worst)
    base = replace(first, metrics={**first.metrics, summary.primary: metric})
    console = _console(120)
    show_summary(replace(summary, baselines=(base, *others)), console)
    said = " ".join(_said(console).split())
    assert f"no better than {base.name}, which needs no network" in said
    assert f"no model is better than {base.name}, which needs no network" in said


def test_a_search_lists_the_values_tried_and_failed() -> None:
    from dataclasses import replace

    tune = Tuning("optim.learning_rate", 3, ())
    tried: dict[str, dict[str, float | None]] = {
        "a": {"0.1": None, "0.01": 2.0, "0.001": 3.0},
        "b": {"0.1": 1.0, "0.01": 2.0},
    }
    first, second = example_plan().variants
    chosen = ("model=rnn", "optim.learning_rate=0.01")  # the search wrote it down: nothing is ranked again
    variants = (replace(first, label="a", overrides=chosen), replace(second, label="b", overrides=chosen))
    plan = replace(example_plan(), variants=variants, tune=tune, tuned=tried)
    middle = tuned_line(plan, "a")
    assert middle == "a: optim.learning_rate=0.01 validated best of 0.001, 0.01, 0.1 (failed)"
    edge = tuned_line(plan, "b")
    assert edge.startswith("b: optim.learning_rate=0.01 validated best of 0.01, 0.1; at the edge")
