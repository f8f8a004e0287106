"""The live panel at several widths, and the plain lines where there is no terminal."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from seqlab.cli.display import Display, length_table
from seqlab.core.metric import Metric
from seqlab.drawing.numbers import NOT_TRAINED, figure, number, sparkline
from seqlab.training.config import TrainerConfig
from seqlab.training.lengths import AtLength
from seqlab.training.progress import Progress
from tests.conftest import tiny_config

SCALARS = {"train/loss": 2.3456, "optim/gradient_norm_max": 1.5e7, "speed/tokens_per_second": 34_321.0}
METRICS = {
    "bits_per_character": Metric(2.5, "bits/char", higher_is_better=False),
    "loss": Metric(1.7329, "nats/char", higher_is_better=False),
}


def _limits() -> TrainerConfig:
    return tiny_config("rnn", "char_lm", "trainer.max_steps=100").trainer


def _shown(console: Console, *, quiet: bool = False) -> str:
    with Display(console, _limits(), quiet=quiet, every_seconds=0.0) as display:
        display.say("a line with [brackets] that are no markup")
        for step in range(10, 60, 10):
            display.logged(Progress(step=step, seconds=step / 10), {**SCALARS, "train/loss": 5 - step / 20})
        display.evaluated(Progress(step=50, seconds=5.0), METRICS, "bits_per_character", True)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_the_panel_fits_its_terminal(width: int) -> None:
    text = _shown(Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, height=30))
    assert "step 50/100" in text
    assert "[brackets]" in text
    if width >= 80:
        assert "0:05 left" in text
        assert "2.5000 bits/char" in text
        assert "gradient norm 15M" in text
        assert "tokens/s" in text


def test_without_a_terminal_there_are_plain_lines() -> None:
    text = _shown(Console(file=io.StringIO(), width=200))
    assert "\x1b" not in text
    assert "step 50/100: loss 2.5000, gradient norm 15M, 34.3k tokens/s, 0:05 left" in text.splitlines()
    assert "step 50: validation bits_per_character 2.5000 bits/char, loss 1.7329 nats/char  (best)" in text.splitlines()


def test_quiet_is_silent() -> None:
    assert _shown(Console(file=io.StringIO(), force_terminal=True), quiet=True) == ""


def test_a_figure_has_its_unit() -> None:
    assert figure(Metric(0.98765, "", higher_is_better=True)) == "0.9877"
    assert figure(Metric(71.4016, "", higher_is_better=True)) == "71.40"
    assert figure(METRICS["loss"]) == "1.7329 nats/char"


def test_figures_of_a_diverged_run_are_readable() -> None:
    assert figure(Metric(3.2e41, "", higher_is_better=False)) == "3.2e+41"
    assert figure(Metric(184.23, "bits/char", higher_is_better=False)) == "184.23 bits/char"
    assert sparkline([1.0, math.inf, math.nan, 2.0], 9) == "▁█"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.0000"), (5.3e-5, "5.3e-05"), (-0.00042, "-0.00042"), (0.001, "0.0010"), (1.5, "1.5000"), (12.0, "12.00")],
)
def test_a_small_figure_is_not_rounded_away(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_length_that_diverged_is_told_from_one_that_was_not_evaluated() -> None:
    found = [
        AtLength(5, {"mse": math.nan, "loss": math.inf}, (math.nan, math.nan), {"mse": 1 / 6}),
        AtLength(10, {}, (math.nan, math.nan), {"mse": 1 / 6}),
    ]
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(length_table(found, ("mse", "loss"), "mse", 80))
    _, diverged, unread, *notes = console.export_text().splitlines()
    assert diverged.split() == ["5", "not", "finite", "0.1667", "not", "finite"]
    assert unread.split() == ["10", "–", "0.1667", "–"]
    assert [note.strip() for note in notes] == [NOT_TRAINED]
