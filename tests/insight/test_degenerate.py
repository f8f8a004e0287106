"""No view fails on degenerate values: for any weights, each gives a picture or the reason why there is none."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seqlab.drawing.picture import COLOURS, SOFT
from seqlab.drawing.scales import log_scale
from seqlab.errors import NumericError, SeqlabError
from seqlab.insight.gradient import gradient
from seqlab.insight.inspected import InspectedRun
from seqlab.insight.memory import memory
from seqlab.insight.norms import NormHistory, NormLine, draw_norms
from seqlab.insight.reach import Curve
from seqlab.runs import inspect as inspecting
from seqlab.runs.inspect import VIEWS
from seqlab.runs.run import Run, open_run
from seqlab.runs.train import train
from seqlab.runs.variants import inspected
from tests.commands import Capture, Patch, in_process
from tests.conftest import KINDS, TASKS, tiny_config

FILLS = {"zero": 0.0, "constant": 1.0, "huge": 1e30, "infinite": math.inf, "nan": math.nan}


def filled(run: Run, value: float) -> InspectedRun:
    """The run with every weight at this value."""
    network = copy.deepcopy(run.network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(value)
    return replace(inspected("filled", run), network=network)


@pytest.fixture(scope="module")
def char_run(trained_runs: Path) -> Run:
    return open_run(trained_runs / "runs/char_lm/gru/a")


@pytest.mark.slow
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("task", KINDS)
def test_every_view_is_a_picture_or_says_why_not(task: str, fill: str, trained_runs: Path) -> None:
    """Warnings are errors here: matplotlib would warn of a curve of nan."""
    run = filled(open_run(trained_runs / f"runs/{task}/gru/a"), FILLS[fill])
    for name, view in VIEWS.items():
        try:
            pictures = view([run], None)
        except SeqlabError:
            continue
        assert pictures, name
        for picture in pictures:
            assert picture.png.startswith(b"\x89PNG")
            assert "</svg>" in picture.svg


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "the gradient is exactly 0 from lag 1 on"), (math.nan, "the gradient is not finite")]
)
def test_a_zero_gradient_is_reported_next_to_a_healthy_one(value: float, said: str, char_run: Run) -> None:
    broken, healthy = filled(char_run, value), inspected("healthy", char_run)
    (picture,) = gradient([broken, healthy])
    assert f"filled: {said}" in picture.about
    assert "healthy: " not in picture.about
    assert "healthy (state): " in picture.svg  # its curve's legend
    first, second = picture.data["runs"]
    assert second["state"]["zero_from_lag"] is second["state"]["not_finite_from_lag"] is None
    where = "zero_from_lag" if value == 0 else "not_finite_from_lag"
    assert first["state"][where] == 1


def test_a_nan_loss_is_reported_next_to_a_healthy_one(char_run: Run) -> None:
    (picture,) = memory([filled(char_run, math.nan), inspected("healthy", char_run)])
    assert "filled: its loss is not finite" in picture.svg
    assert "within 1 % of its best" in picture.svg
    assert picture.data["runs"][0]["effective_context"] is None


def test_a_curve_names_the_lag_from_which_it_is_zero_or_not_finite() -> None:
    norm_NK = np.array([[4.0, 1.0, 0.02, 0.0, 0.0]] * 3)
    curve = Curve.of(norm_NK)
    assert (curve.zero_from, curve.nonfinite_from, curve.top) == (4, None, 4.0)
    assert curve.describe() == "below 1 % from lag 3, exactly 0 from lag 4"
    assert Curve.of(np.zeros((3, 2))).describe() == "exactly 0 at every lag"
    between = Curve.of(np.array([[1.0, 0.0, 0.5]] * 3))  # a zero in passing is no end
    assert (between.zero_from, between.describe()) == (None, "below 1 % from lag 2")
    explodes = Curve.of(np.array([[1e-4, 1e-2, 1.0]] * 3))
    assert explodes.describe() == "grows 1e+04-fold up to lag 3"
    grown = Curve.of(np.array([[1.0, 2.0, math.inf]] * 3))
    assert (grown.top, grown.describe()) == (2.0, "not finite from lag 3")
    assert Curve.of(np.full((3, 2), math.nan)).describe() == "not finite"


def test_a_bug_in_one_view_does_not_affect_the_others(trained_runs: Path, capsys: Capture, monkeypatch: Patch) -> None:
    def broken(*_: object) -> list[object]:
        raise ZeroDivisionError("of this view alone")

    monkeypatch.chdir(trained_runs)
    monkeypatch.setattr(inspecting, "VIEWS", {"memory": broken, "embedding": VIEWS["embedding"]})
    with pytest.raises(ZeroDivisionError):
        in_process(capsys, monkeypatch, "inspect", "runs/char_lm/gru/a", "--out", "broken")
    assert (trained_runs / "broken/embedding-embed.png").exists()
    assert "embedding-embed" in (trained_runs / "broken/inspect.html").read_text()


# --- the norm in training -----------------------------------------------------------------------------


def test_clipped_to_stands_only_where_a_run_was_clipped() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    cut = NormHistory([NormLine(10, 1.0, 4.0), NormLine(90, 0.5, 0.9)], 1.0)
    draw_norms(axes, [NormHistory([NormLine(10, 1.0, 1.5e7), NormLine(200, 2.0, 3.0)], None), cut])
    named = axes.get_legend()
    assert named is not None
    (text,) = named.get_texts()
    assert text.get_text() == "clipped to 1"
    dashed = [line for line in axes.lines if np.array_equal(line.get_ydata(), [1.0, 1.0])]
    assert [np.asarray(line.get_xdata()).tolist() for line in dashed] == [[10, 90]]  # not as far as the other went
    assert dashed[0].get_color() == COLOURS[1]


def test_one_line_stands_for_all_runs_that_were_clipped_to_the_same_norm() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    draw_norms(axes, [NormHistory([NormLine(10 * n, 1.0, 2.0), NormLine(90 * n, 0.5, 0.9)], 1.0) for n in (1, 2)])
    dashed = [line for line in axes.lines if np.array_equal(line.get_ydata(), [1.0, 1.0])]
    assert [np.asarray(line.get_xdata()).tolist() for line in dashed] == [[10, 180]]
    assert dashed[0].get_color() == SOFT


def _exploded(root: Path, *overrides: str) -> Run:
    """A run that nothing saves: recurrent weights above 1, a large learning rate and no clipping."""
    config = tiny_config(
        "rnn", TASKS[0], "device=cpu", f"runs_dir={root}", "model.recurrent_gain=2.0", "optim=sgd",
        "optim.learning_rate=1e30", "trainer.clip_norm=null", "trainer.max_steps=50", "trainer.eval_every_steps=50",
        *overrides,
    )  # fmt: skip
    with pytest.raises(NumericError, match="not finite"):
        train(config, name="exploded", checked=True)
    return open_run(root / TASKS[0] / "rnn" / "exploded")


@pytest.mark.parametrize("log_every", [1, 40])
def test_a_run_that_exploded_is_drawn_to_its_end(log_every: int, tmp_path: Path, trained_runs: Path) -> None:
    """Also where it had not one log line."""
    run = _exploded(tmp_path, f"trainer.log_every_steps={log_every}", "trainer.nonfinite_limit=3")
    healthy = open_run(trained_runs / f"runs/{TASKS[0]}/gru/a")
    (picture,) = gradient([inspected("exploded", run), inspected("healthy", healthy)])
    first, second = (data["training"] for data in picture.data["runs"])
    assert second["ended_not_finite_at"] is None
    assert second["clip_norm"] == 1.0
    ended = first["ended_not_finite_at"]
    assert bool(first["step"]) == (log_every == 1)
    assert all(step <= ended for step in first["step"])
    assert f"exploded: training ended at step {ended}, as its loss or gradient was no longer finite" in picture.about
    assert "healthy: training ended" not in picture.about
    assert "ended: not finite" in picture.svg
    log = (run.folder / "train.log").read_text(encoding="utf-8")
    assert f"not finite 3 times in a row, last at step {ended} " in log
    assert "; the last finite gradient norm was " in log


@pytest.mark.parametrize("values", [[0.4, 0.41], [0.5, 3.6], [1.3, 80.0], [0.2, 1.5e7], [1e-12, 1e9], [2e-5, 3e-5]])
def test_labels_of_a_log_axis_do_not_overprint(values: list[float]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.plot(values)
    log_scale(axes, values)
    figure.canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    low, high = axes.get_ylim()
    every = [*axes.yaxis.get_ticklabels(), *axes.yaxis.get_ticklabels(minor=True)]
    boxes = [
        label.get_window_extent() for label in every if label.get_text() and low <= label.get_position()[1] <= high
    ]
    assert boxes
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_a_log_axis_of_nothing_stays_empty() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    log_scale(axes, [0.0, math.nan, math.inf])
    assert axes.get_yscale() == "linear"
    assert list(axes.get_yticks()) == []
