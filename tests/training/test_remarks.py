"""Remarks on a run's figures: no better than chance, still improving, and remedies for divergence."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from seqlab.cli.report import show_result
from seqlab.core.baseline import Baseline, ChanceLevel
from seqlab.core.metric import Metric
from seqlab.runs.train import train
from seqlab.training.nonfinite import remedies
from seqlab.training.remarks import still_improving, worse_than_chance
from tests.conftest import tiny_config, tiny_task

BITS = Metric(0.0, "bits/char", higher_is_better=False)
ACCURACY = Metric(0.0, "", higher_is_better=True)


def test_a_diverged_run_is_reported_as_no_better_than_chance(tmp_path: Path) -> None:
    words = [
        "optim=sgd", "optim.learning_rate=500", "trainer.clip_norm=null", "device=cpu", f"runs_dir={tmp_path}",
    ]  # fmt: skip
    result = train(tiny_config("rnn", "char_lm", *words), name="a", checked=True)
    (said,) = result.warnings
    assert said.startswith("validation bits per character")
    assert "is no better than chance (" in said
    assert "tokens as likely" in said
    assert "trainer.clip_norm=1 (nothing is clipped now) or optim.learning_rate=50" in said
    console = Console(file=io.StringIO(), width=400)
    show_result(result, console, words, None)
    assert isinstance(console.file, io.StringIO)
    assert said in console.file.getvalue()
    assert json.loads((result.folder / "result.json").read_text())["warnings"] == [said]
    assert said in (result.folder / "train.log").read_text()
    twice = replace(result, warnings=("of the data", said))
    console = Console(file=io.StringIO(), width=400)
    show_result(twice, console, words, None)
    assert isinstance(console.file, io.StringIO)
    assert "of the data" not in console.file.getvalue()  # it was said before training
    assert "1 about the data, shown before training" in console.file.getvalue()


def test_a_metric_whose_interval_holds_chance_is_not_clearly_better() -> None:
    chance = Baseline("memoryless", "always 1", {"mse": replace(BITS, value=1 / 6, unit="")})
    found = {"mse": replace(BITS, value=0.16, unit="")}
    said = worse_than_chance(found, "mse", chance, "x", (0.151, 0.169))
    assert said is not None
    assert "validation mse 0.16 (95 % 0.151 to 0.169) is not clearly better than memoryless (0.1667: always 1)" in said
    assert worse_than_chance(found, "mse", chance, "x", (0.155, 0.166)) is None
    assert worse_than_chance(found, "mse", chance, "x") is None
    right = {"accuracy": replace(ACCURACY, value=0.55)}
    level = Baseline("chance", "majority", {"accuracy": replace(ACCURACY, value=0.5)})
    assert worse_than_chance(right, "accuracy", level, "x", (0.49, 0.61)) is not None
    assert worse_than_chance(right, "accuracy", level, "x", (0.51, 0.59)) is None


@pytest.mark.parametrize("task", ["char_lm", "sentiment", "translation"])
def test_chance_is_in_terms_of_the_meter(task: str) -> None:
    """What is compared has the meter's names and units; all of it finite."""
    built = tiny_task(tiny_config("gru", task))
    assert isinstance(built, ChanceLevel)
    chance = built.chance("validation")
    assert chance.metrics
    assert all(math.isfinite(metric.value) for metric in chance.metrics.values())
    assert worse_than_chance(chance.metrics, next(iter(chance.metrics)), chance, "x") is not None  # equal is no better


def test_chance_of_a_language_model_is_the_logarithm_of_its_vocabulary() -> None:
    task = tiny_task(tiny_config("gru", "char_lm"))
    assert isinstance(task, ChanceLevel)
    chance = task.chance("validation")
    assert chance.metrics["bits_per_character"].value == pytest.approx(math.log2(len(list(task.vocabulary()))))
    better = {"bits_per_character": Metric(2.0, "bits/char", higher_is_better=False)}
    assert worse_than_chance(better, "bits_per_character", chance, "x") is None


@pytest.mark.parametrize(
    ("curve", "metric", "said"),
    [
        ([(100, 3.0), (200, 2.5), (300, 2.2)], BITS, True),
        ([(100, 0.50), (200, 0.60), (300, 0.70)], ACCURACY, True),
        ([(100, 3.0), (200, 2.01), (300, 2.0)], BITS, False),  # flat
        ([(100, 3.0), (200, 2.0), (300, 2.2)], BITS, False),  # past its best
        ([(100, 0.50), (200, 0.60), (300, 0.55)], ACCURACY, False),
        ([(100, 3.0), (200, 2.0)], BITS, False),  # nobody knows from two
        ([(100, 3.0), (200, 2.5), (290, 2.25), (300, 2.2)], BITS, True),  # an interval cut short
        ([(100, 0.0), (200, 0.0), (300, 0.0)], ACCURACY, False),
    ],
)
def test_still_improving(curve: list[tuple[int, float]], metric: Metric, said: bool) -> None:
    found = still_improving(curve, metric, "bits_per_character")
    assert (found is not None) == said
    if found is not None:
        assert "trainer.max_steps=600" in found


def test_remedies_name_only_settings_that_would_change() -> None:
    assert remedies(5.0, clipped=False, precision="fp32") == (
        "trainer.clip_norm=1 (nothing is clipped now) or optim.learning_rate=0.5"
    )
    assert remedies(5.0, clipped=True, precision="fp32") == "optim.learning_rate=0.5"
    assert remedies(5.0, clipped=True, precision="bf16") == "optim.learning_rate=0.5 or device.precision=fp32"
