"""The report of a sweep as users see it: its page in a browser, its pictures, its tables."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from seqlab.cli.sweep_display import show_sweep, show_sweep_plan
from seqlab.sweeps.report import write_report
from seqlab.sweeps.summary import Summary, main_effects, summarise
from tests.browser import Browser, PageReader, needs_chromium
from tests.sweeps.made import WORDS, Maker, grid, planned, searched

GRID = ["model=rnn,gru", "optim.learning_rate=1e-3,4e-3,2e-2,0.1", "model.width=range(8,25,8)"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, Path]:
    """A grid with its report, and its folder."""
    folder = tmp_path_factory.mktemp("grid")
    plan, request = planned(GRID, None)
    plan = replace(plan, models=replace(plan.models, notes=("a <b>note</b> & more",)))
    trials = grid(plan, request, folder, Maker())
    effects = main_effects(trials, request.axes.values())
    summary = summarise(request, plan, trials, {24: "killed <now>"}, effects, folder, "seqlab sweep x")
    assert summary is not None
    write_report(summary, folder)
    return summary, folder


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a search with pruned trials."""
    folder = tmp_path_factory.mktemp("search")
    plan, request = planned(WORDS, 9)
    trials, _ = searched(plan, request, folder, Maker())
    summary = summarise(request, plan, trials, {}, {"model": 0.75}, folder, "seqlab sweep x")
    assert summary is not None
    write_report(summary, folder)
    return folder / "report.html"


def test_the_report_is_one_file_that_asks_for_nothing(made: tuple[Summary, Path]) -> None:
    _, folder = made
    text = (folder / "report.html").read_text(encoding="utf-8")
    reader = PageReader()
    reader.feed(text)
    assert reader.asked == []
    assert "script" not in reader.tags
    assert reader.tags.count("svg") == 3
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    parts = (
        "killed &lt;now&gt;", "a &lt;b&gt;note&lt;/b&gt;", "by which nothing was chosen", "24 commands",
        "seqlab train model=gru optim.learning_rate=0.004 model.width=24", "model.width=24 is at the edge",
        "18 complete, 6 diverged, 1 failed", "diverged at step 40",
    )  # fmt: skip
    for part in parts:
        assert part in text
    names = {
        f"{name}{end}" for name in ("importance", "parallel-coordinates", "trials") for end in (".svg", "-dark.png")
    }
    assert names <= {path.name for path in folder.iterdir()}


def test_files_and_terminal_have_all_trials_the_best_first(made: tuple[Summary, Path]) -> None:
    summary, folder = made
    stored = json.loads((folder / "summary.json").read_text())
    rows = list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))
    assert [int(row["trial"]) for row in rows] == [trial["trial"] for trial in stored["trials"]]
    assert rows[0]["model.width"] == "24"
    assert stored["best"]["validation"] == float(rows[0]["validation_loss"])
    assert stored["best"]["command"] == "seqlab train model=gru optim.learning_rate=0.004 model.width=24"
    assert sum(trial["outcome"] == "diverged" for trial in stored["trials"]) == 6
    assert sum(stored["importance"].values()) <= 1 + 1e-9
    console = Console(width=80, record=True)
    show_sweep_plan(summary.plan, summary.request, console)
    show_sweep(summary, console)
    text = console.export_text()
    lines = [line for line in text.splitlines() if not line.startswith("seqlab train")]
    assert max(map(len, lines)) <= 80
    for part in ("24 trials: every combination", "0.004", "and 4 more, in trials.csv", "best on validation: model=gru"):
        assert part in text


@needs_chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_a_search_with_pruned_trials(page: Path, tmp_path: Path, dark: bool) -> None:
    from PIL import Image  # comes with matplotlib

    with Browser(tmp_path, f"--blink-settings=preferredColorScheme={int(not dark)}", size=(1000, 1500)) as browser:
        browser.open(page.as_uri())
        browser.wait_for(
            "The best on validation", "pruned at step 20", "among complete trials", "Commands to repeat this sweep"
        )
        browser.screenshot(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as image:
        pixels = image.convert("RGB")
        corner = pixels.getpixel((3, 3))
        colours = {pixels.getpixel((x, y)) for x in range(0, 1000, 2) for y in range(0, 1500, 2)}
    assert isinstance(corner, tuple)
    assert (max(corner) < 60) if dark else (min(corner) > 240)
    assert {(0, 114, 178), (213, 94, 0)} <= colours  # what mattered, and the best trial
