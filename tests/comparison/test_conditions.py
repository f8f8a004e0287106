"""The conditions of a verdict are shown with it, from what the runs stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqlab.comparison.conditions import (
    about_curves,
    condition,
    differing,
    differing_cells,
    unequal_seeds,
    unequal_text,
)
from seqlab.comparison.options import read_budget
from seqlab.comparison.summary import Summary, shared_target
from seqlab.core.metric import Metric
from tests.comparison.test_report import example_summary, published
from tests.conftest import tiny_config


def _summary(tmp_path: Path, first: tuple[str, ...], second: tuple[str, ...], **results: tuple[Any, Any]) -> Summary:
    """Two rows whose runs stored these settings, with other results where given."""
    summary, rows = example_summary(), []
    for place, (row, words) in enumerate(zip(summary.rows, (first, second), strict=True)):
        folder = tmp_path / f"run-{place}"
        folder.mkdir()
        (folder / "config.yaml").write_text(tiny_config(words[0], *words[1:]).yaml, encoding="utf-8")
        own: Mapping[str, Any] = {key: values[place] for key, values in results.items()}
        runs = tuple(replace(run, folder=str(folder), result={**run.result, **own}) for run in row.runs)
        rows.append(replace(row, variant=replace(row.variant, label=("one", "other")[place]), runs=runs))
    plan = replace(summary.plan, variants=tuple(row.variant for row in rows))
    return replace(summary, plan=plan, rows=tuple(rows))


def test_differing_settings_are_found(tmp_path: Path) -> None:
    """For any family: a setting that only one has is missing for the other; equal settings are not listed."""
    summary = _summary(
        tmp_path,
        ("lstm", "char_lm", "optim.learning_rate=0.004", "model.layers=3", "trainer.clip_norm=null"),
        ("transformer", "char_lm", "optim.learning_rate=0.003", "optim.warmup_steps=7", "init_from=runs/a"),
        parameters=(1200, 3400),
    )
    found = differing(summary)
    assert found["parameters"] == {"one": 1200, "other": 3400}
    assert found["optim.learning_rate"] == {"one": 0.004, "other": 0.003}
    assert found["model.layers"] == {"one": 3, "other": 2}
    assert found["trainer.clip_norm"] == {"one": None, "other": 1.0}
    assert found["model.heads"] == {"other": 4}
    assert found["init_from"] == {"one": None, "other": "runs/a"}
    assert "model.width" not in found
    assert not any("_target_" in key or key.startswith("device") for key in found)
    headings, cells = differing_cells(summary)
    assert headings == ["setting", "one", "other"]
    assert ["model.heads", "–", "4"] in cells
    assert ["parameters", "1,200", "3,400"] in cells


def test_one_model_twice_has_nothing_to_list(tmp_path: Path) -> None:
    assert differing(_summary(tmp_path, ("gru", "char_lm"), ("gru", "char_lm"))) == {}


def test_a_verdict_names_its_condition() -> None:
    summary = example_summary()
    assert condition(summary) == "after 400 steps (budget 60s), sizes matched at body = 90k"
    plain = replace(summary, plan=replace(summary.plan, budget=None, match=None))
    assert condition(plain) == "after 400 steps, sizes as configured (not matched)"


def test_equal_steps_on_unequal_text_are_reported_with_the_remedy(tmp_path: Path) -> None:
    words = ("lstm", "char_lm")
    (tmp_path / "a").mkdir()
    unequal = unequal_text(_summary(tmp_path / "a", words, words, tokens=(800_000, 25_000)))
    assert unequal is not None
    assert "one 800k, other 25k" in unequal
    assert "--budget 25ktokens" in unequal
    assert read_budget("25ktokens").amount == 25_000
    (tmp_path / "b").mkdir()
    assert unequal_text(_summary(tmp_path / "b", words, words, tokens=(800_000, 799_000))) is None
    (tmp_path / "c").mkdir()
    # of runs of other lengths nobody thinks that they have read as much, where a step is a step
    longer = _summary(tmp_path / "c", words, words, tokens=(800_000, 26_000), steps=(400, 13))
    assert unequal_text(longer) is None
    assert "after 13 to 400 steps" in condition(longer)
    (tmp_path / "d").mkdir()
    shorter = unequal_text(_summary(tmp_path / "d", words, words, tokens=(800_000, 50_000), steps=(400, 399)))
    assert shorter is not None
    assert shorter.startswith(
        "different numbers of steps, but not the same amount of text in each (tokens read: one 800k, other 50k)"
    )
    (tmp_path / "e").mkdir()  # a budget of tokens
    assert unequal_text(_summary(tmp_path / "e", words, words, tokens=(25_000, 25_010), steps=(400, 13))) is None


def test_unequal_numbers_of_seeds_are_reported(tmp_path: Path) -> None:
    summary = _summary(tmp_path, ("lstm", "char_lm"), ("lstm", "char_lm"))
    assert unequal_seeds(summary) is None
    first, second = summary.rows
    first, second = replace(first, test={0: 1.0, 1: 1.1, 2: 1.2}), replace(second, test={0: 1.0, 2: 1.1})
    fewer = replace(summary, rows=(first, second))
    expected = "the models have different numbers of seeds (one 3, other 2): verdicts rest on 2 of each"
    assert (unequal_seeds(fewer) or "").startswith(expected)
    for text in published(fewer, tmp_path, 200)[:2]:
        assert expected in text


def test_report_terminal_and_json_show_all_conditions(tmp_path: Path) -> None:
    summary = _summary(
        tmp_path, ("gru", "translation", "task.label_smoothing=0.1"), ("gru", "translation"), tokens=(9_000, 1_000)
    )
    assert "one's with label smoothing 0.1" in about_curves(summary)
    page, terminal, stored = published(summary, tmp_path, 100)
    assert stored["settings"]["task.label_smoothing"] == {"one": 0.1, "other": 0.0}
    for text in (page, terminal):
        assert "task.label_smoothing" in text
        assert stored["condition"] in text
        assert "--budget" in text
    assert "label smoothing 0.1 in it" in page


def test_a_metrics_worst_possible_value_is_no_target() -> None:
    bleu, loss = Metric(0.0, "", True, 0.0, 1.0), Metric(0.0, "bits", False, 0.0, None)
    assert shared_target([0.00001, 0.3], bleu) is None
    assert shared_target([0.2, 0.3], bleu) == 0.2
    assert shared_target([2.0, 3.0], loss) == 3.0
    assert shared_target([], loss) is None
