"""A run in a notebook: its figures and its curve, with everything escaped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from seqlab.runs.run import open_run

STORED = Path(__file__).parents[1] / "fixtures" / "format-3"
RESULT = {
    "task": "char_lm", "model": "rnn", "seed": 0, "parameters": 123456, "steps": 6, "tokens": 900, "seconds": 61.4,
    "tokens_per_second": 14.66, "peak_memory_bytes": 1, "best_step": 4, "primary": "bits_per_character",
    "validation": {"loss": 1.25, "bits_per_character": 1.8}, "test": {"loss": 1.5, "bits_per_character": 2.16},
    "test_interval": [2.0, 2.3], "device": "cpu", "precision": "fp32",
    "metrics": {
        "loss": {"unit": "nats/char", "higher_is_better": False},
        "bits_per_character": {"unit": "bits/<char>", "higher_is_better": False},
    },
    "warnings": ["task.corpus=<b>mine</b>.txt repeats itself"],
}  # fmt: skip


def _run(folder: Path) -> Path:
    shutil.copytree(STORED, folder)
    return folder


def test_a_run_without_a_result_shows_how_far_it_is(tmp_path: Path) -> None:
    html = open_run(_run(tmp_path / "<i>a&b</i>"))._repr_html_()
    assert "no result yet; the last step that was logged is 12" in html
    assert "&lt;i&gt;a&amp;b&lt;/i&gt;" in html
    assert "<i>" not in html
    assert "<table>" not in html
    assert "val/loss" in html


def test_a_finished_run_shows_its_figures_and_what_speaks_against_them(tmp_path: Path) -> None:
    folder = _run(tmp_path / "run")
    (folder / "result.json").write_text(json.dumps(RESULT), encoding="utf-8")
    (folder / "samples.txt").write_text("<script>alert(1)</script>", encoding="utf-8")
    html = open_run(folder)._repr_html_()
    first, second = html.index("bits per character"), html.index('"row">loss')
    assert first < second, "the primary metric comes first"
    assert "<td>1.8000</td><td>2.1600 bits/&lt;char&gt;</td><td>2.0000 to 2.3000</td>" in html
    assert "123k parameters; 6 steps in 1:01, best at step 4; 14.7 tokens/s on cpu in fp32" in html
    assert "&lt;b&gt;mine&lt;/b&gt;" in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
