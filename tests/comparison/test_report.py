"""The report as users see it: in a real browser, without network, in light and dark."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from seqlab.cli.comparison_display import show_summary
from seqlab.comparison.compare import write_report
from seqlab.comparison.plan import OTHER_ORDER, Plan, Variant
from seqlab.comparison.probe import Probe
from seqlab.comparison.reading import CompletedRun, ValidationPoint
from seqlab.comparison.sizes import Sizes
from seqlab.comparison.summary import Summary, summarise
from seqlab.core.baseline import Baseline
from seqlab.core.metric import Metric
from tests.browser import Browser, PageReader, needs_chromium

EVIL = "<script>document.title='taken'</script>&amp; \x00"


def example_plan() -> Plan:
    probe = Probe("cpu", "fp32", 0.01, 2000.0, 1.5e6, 0.2, 4096, 900.0)
    variants = tuple(
        Variant(label, "rnn", ("model=rnn",), Sizes(10_000, 90_000, 10_100), 400, 4, probe, {})
        for label in ("rnn", "<b>deep</b> & wide")
    )
    return Plan(1, "0" * 64, "char_lm", "bits_per_character", variants, (0, 1, 2), "60s", "body=90k", None, ("a note",))


def example_summary() -> Summary:
    plan = example_plan()
    metrics = {"bits_per_character": {"unit": "bits/char", "higher_is_better": False}}
    runs = []
    for place, variant in enumerate(plan.variants):
        for seed in plan.seeds:
            values = [4 - 0.5 * i - 0.3 * place + 0.01 * seed * (1 + place) for i in range(4)]
            curve = tuple(
                ValidationPoint(100 * (i + 1), 200_000 * (i + 1), 5.0 * (i + 1), v) for i, v in enumerate(values)
            )
            result = {
                "model": "rnn", "primary": "bits_per_character", "metrics": metrics, "validation": {},
                "test": {"bits_per_character": values[-1]}, "seconds": 20.0 + place, "tokens_per_second": 4e4,
                "peak_memory_bytes": 2**28, "parameters": 110_100, "steps": 400, "tokens": 800_000, "best_step": 400,
            }  # fmt: skip
            runs.append(CompletedRun(variant.label, seed, f"runs/x/{seed}", result, curve, f"once {EVIL} a sample"))
    naive = Baseline("5-gram", "counting", {"bits_per_character": Metric(2.9, "bits/char", higher_is_better=False)})
    xz = Baseline("xz", "growing", {"bits_per_character": Metric(1.0, "bits/char", higher_is_better=False)})
    failed = {("rnn", 3): "out of memory <now>"}
    summary = summarise(plan, runs, failed, [naive, xz], "seqlab compare rnn --seeds 3")
    assert summary is not None
    return summary


def published(summary: Summary, folder: Path, width: int) -> tuple[str, str, dict[str, Any]]:
    """The output of a comparison: (report.html, the terminal's text at that width, summary.json)."""
    write_report(summary, folder)
    console = Console(width=width, record=True)
    show_summary(summary, console)
    page = (folder / "report.html").read_text(encoding="utf-8")
    stored: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return page, console.export_text(), stored


def test_the_report_is_one_file_that_asks_for_nothing(tmp_path: Path) -> None:
    write_report(example_summary(), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    reader = PageReader()
    reader.feed(text)
    assert reader.asked == []
    assert "script" not in reader.tags  # what a model writes stays text
    assert reader.tags.count("svg") == 5
    assert "@import" not in text
    assert "url(http" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    order = [
        text.index(f'id="{part}"') for part in ("verdicts", "results", "curves", "samples", "repeat", "environment")
    ]
    assert order == sorted(order)
    for part in (
        "out of memory &lt;now&gt;",
        "a note",
        "is better than rnn by",
        "&lt;b&gt;deep&lt;/b&gt; &amp; wide and rnn are no better than xz",
        "5-gram",
        "seqlab compare rnn --seeds 3",
    ):
        assert part in text


@needs_chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_it(tmp_path: Path, dark: bool) -> None:
    from PIL import Image  # comes with matplotlib

    write_report(example_summary(), tmp_path)
    picture = tmp_path / "page.png"
    with Browser(tmp_path, f"--blink-settings=preferredColorScheme={int(not dark)}", size=(1000, 1400)) as browser:
        browser.open((tmp_path / "report.html").resolve().as_uri())
        browser.wait_for("Verdicts", "Commands to repeat this comparison")
        assert browser.evaluate("document.title") != "taken"
        browser.screenshot(picture)
    with Image.open(picture) as image:
        pixels = image.convert("RGB")
        corner = pixels.getpixel((3, 3))
        colours = {pixels.getpixel((x, y)) for x in range(0, 1000, 3) for y in range(0, 1400, 3)}
    assert isinstance(corner, tuple)
    assert (max(corner) < 60) if dark else (min(corner) > 240)
    assert {(0, 114, 178), (213, 94, 0)} <= colours  # the two models' colours: the pictures are there


def test_models_that_read_the_text_in_different_orders_are_not_said_to_share_one(tmp_path: Path) -> None:
    summary = example_summary()
    assert "every model has the same split and the same order of data" in published(summary, tmp_path, 100)[0]
    notes = (f"training reads the same text, but {OTHER_ORDER} (a: in order; b: at random)",)
    page = published(replace(summary, plan=replace(summary.plan, notes=notes)), tmp_path, 100)[0]
    assert "every model has the same split; " in page


def test_costs_that_no_model_has_are_left_out(tmp_path: Path) -> None:
    summary = example_summary()
    rows = []
    for place, row in enumerate(summary.rows):
        assert row.variant.probe is not None
        probe = replace(row.variant.probe, generated_per_second=None, state_bytes=None if place else 4096)
        rows.append(replace(row, variant=replace(row.variant, probe=probe)))
    for text in published(summary, tmp_path, 120)[:2]:
        assert "gen/s" in text
        assert "tokens generated" in text
    for text in published(replace(summary, rows=tuple(rows)), tmp_path, 120)[:2]:
        assert "gen/s" not in text
        assert "tokens generated" not in text
        assert "state B" in text
        assert "4.1k" in text
