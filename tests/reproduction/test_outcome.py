"""Published figures beside ours: from a comparison's summary, and from a command that was killed and started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.reproduce import absent, table
from seqlab.cli.reproduction_display import show_outcome
from seqlab.comparison.compare import write_report
from seqlab.comparison.summary import Summary
from seqlab.reproduction.outcome import outcome
from seqlab.reproduction.page import above
from seqlab.reproduction.published import Measure, Published, Reproduction
from seqlab.reproduction.read import reproductions
from seqlab.reproduction.reproduce import Reproduced
from tests.commands import Capture, Patch, in_process
from tests.comparison.test_report import example_summary
from tests.conftest import TEXT, on_corpus, tiny_overrides

NAMES = tuple(reproductions(None))
WIDE = "<b>deep</b> & wide"


def _summary() -> Summary:
    """Two models of three seeds: test 2.5 bits and a little more, and 2.2."""
    summary = example_summary()
    rows = []
    for row in summary.rows:
        runs = tuple(replace(run, result={**run.result, "validation": run.result["test"]}) for run in row.runs)
        rows.append(replace(row, runs=runs))
    return replace(summary, rows=tuple(rows))


def _figure(of: str, value: float, **others: Any) -> Published:
    given: dict[str, Any] = {"unit": "bits/char", "ours": "rnn", "rule": "at_most", **others}
    return Published(of=of, value=value, measured="the bits", where="Table 1", **given)


def _reproduction(*published: Published) -> Reproduction:
    return Reproduction(
        title="Tiny & <i>small</i>", citation="Nobody 2000", link="https://example.org", published=published,
        measure=Measure(metric="bits_per_character", split="test", unit="bits/char"), compare=("rnn",), seeds=3,
        minutes=1.0, machine="2 cores", differs=("everything",),
    )  # fmt: skip


def test_each_figure_stands_beside_ours_in_its_own_unit() -> None:
    told = _reproduction(
        _figure("A", 2.6),
        _figure("B", 1.0),
        _figure("C", 1.6, unit="nats/char", ours="best"),
        _figure("D", 2.0, not_comparable="it read another text"),
        _figure("E", 2.0, ours=WIDE),
    )
    found = outcome("tiny", told, (), "seqlab reproduce tiny", _summary())
    verdicts = [line.verdict.finding for line in found.lines if line.verdict is not None]
    assert verdicts == ["reproduced", "not reproduced", "reproduced", "not comparable", "not reproduced"]
    first, _, best, *_ = found.lines
    assert first.ours is not None
    assert first.ours.mean == pytest.approx(2.51)
    assert first.ours.interval is not None
    assert first.ours.interval[0] < 2.51 < first.ours.interval[1]
    assert best.ours is not None
    assert best.ours.label == WIDE  # 2.22 bits
    assert best.ours.mean == pytest.approx(2.22 * 0.693147, rel=1e-4)
    assert found.lines[3].verdict is not None
    assert found.lines[3].verdict.text == "not comparable, because it read another text"
    stored = json.loads(json.dumps(found.as_json()))
    assert [line["verdict"]["finding"] for line in stored["lines"]] == verdicts
    assert stored["lines"][0]["ours"]["values"] == {"0": 2.5, "1": 2.51, "2": 2.52}


def test_a_changed_experiment_and_one_without_runs_are_not_called_reproduced() -> None:
    told = _reproduction(_figure("A", 2.6))
    changed = outcome("tiny", told, ("trainer.max_steps=20",), "", _summary()).lines[0]
    assert changed.verdict is not None
    assert changed.verdict.text == "not comparable, because with trainer.max_steps=20 it is another experiment"
    assert changed.ours is not None
    (empty,) = outcome("tiny", told, (), "", None).lines
    assert empty.ours is None
    assert empty.verdict is not None
    assert empty.verdict.text == "not reproduced: no run of rnn is complete"


def test_a_verdict_on_fewer_runs_than_it_takes_says_so() -> None:
    told = replace(_reproduction(_figure("A", 2.6)), seeds=10)
    (verdict, *_) = (line.verdict for line in outcome("tiny", told, (), "", _summary()).lines)
    assert verdict is not None
    assert (verdict.finding, verdict.settled) == ("reproduced", False)
    assert verdict.text.endswith("; of 3 of its 10 runs only")


def test_models_without_a_published_figure_are_shown_too() -> None:
    found = outcome("tiny", _reproduction(), (), "", _summary())
    assert [line.ours.label for line in found.lines if line.ours is not None] == [WIDE, "rnn"]
    assert [line.verdict for line in found.lines] == [None, None]


def test_report_and_terminal_show_published_beside_ours(tmp_path: Path) -> None:
    told = _reproduction(_figure("A", 2.6), _figure("B", 1.0), _figure("D", 2.0, not_comparable="it read <another>"))
    summary = _summary()
    found = outcome("tiny", told, (), "seqlab reproduce tiny", summary)
    write_report(summary, tmp_path, lambda _: above(found))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for part in (
        "<h1>Tiny &amp; &lt;i&gt;small&lt;/i&gt;</h1>", "A reproduction of Nobody 2000", "not comparable",
        "it read &lt;another&gt;", "2.6 bits/char", "at most 2.6", "everything", 'id="verdicts"',
    ):  # fmt: skip
        assert part in page
    assert page.index('id="reproduction"') < page.index('id="verdicts"')
    for width in (80, 120):
        console = Console(width=width, record=True)
        show_outcome(Reproduced(found, tmp_path, {}), console)
        said = console.export_text()
        assert max(map(len, said.splitlines()[:8])) <= width
        for part in ("2.6 bits/char", "2.5100", "not reproduced", "not comparable, because it read <another>"):
            assert part in " ".join(said.split())


def test_the_table_of_the_documentation_is_made_from_the_stored_outcome() -> None:
    told = _reproduction(_figure("A", 2.6), _figure("D", 2.0, not_comparable="it read another text"))
    stored = json.loads(json.dumps(outcome(NAMES[0], told, (), "seqlab reproduce x", _summary()).as_json()))
    made = table(stored)
    assert "| A | 2.6 bits/char | 2.5100 | " in made
    assert "| 3 | rnn, 110,100 parameters | reproduced |" in made
    assert "- D: not comparable, because it read another text." in made
    assert f"| [{NAMES[0]}](#{NAMES[0]}) |" in absent("reproduce-overview")
    for name in NAMES:
        assert f"`seqlab reproduce {name}`" in absent(f"reproduce-{name}")


_TINY = """\
title: A tiny reproduction
citation: Nobody 2000
link: https://example.org
published:
  - {of: A, value: 9, unit: bits/char, measured: the loss, where: Table 1, ours: rnn, rule: at_most}
  - {of: B, value: 0.1, unit: nats/char, measured: the loss, where: Table 1, ours: best, rule: at_most}
  - {of: C, value: 9, unit: nats/char, measured: the loss, where: Table 1, ours: rnn, rule: at_most,
     not_comparable: other data}
measure: {metric: loss, split: validation, unit: nats/char}
seeds: 2
minutes: 0.2
machine: 2 cores
compare: [rnn, WORDS]
"""


@pytest.mark.slow
def test_a_killed_reproduction_is_resumed_and_ends_with_each_verdict(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    words = [w for w in tiny_overrides("rnn", "char_lm", *on_corpus("char_lm", TEXT)) if not w.startswith("model=")]
    (tmp_path / "mine" / "reproduction").mkdir(parents=True)
    text = _TINY.replace("WORDS", ", ".join(json.dumps(word) for word in (*words, "device=cpu", "device.threads=1")))
    (tmp_path / "mine" / "reproduction" / "tiny.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQLAB_CONFIG_DIR", "mine")
    command = [sys.executable, "-m", "seqlab", "reproduce", "tiny", "--quiet"]
    result = tmp_path / "runs" / "reproduce" / "tiny" / "rnn" / "seed-0" / "result.json"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ) as process:
        while not result.is_file():
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.kill()
        process.communicate()
    made = result.stat().st_mtime_ns
    while True:  # a run that was under way ends by itself, and holds the lock until then
        code, out, err = in_process(capsys, monkeypatch, "reproduce", "tiny", "--json")
        if code != 7:
            break
        time.sleep(0.5)
    assert code == 0, err
    assert result.stat().st_mtime_ns == made
    (told,) = json.loads(out)
    verdicts = [line["verdict"]["finding"] for line in told["lines"]]
    assert verdicts == ["reproduced", "not reproduced", "not comparable"]
    folder = tmp_path / "runs" / "reproduce" / "tiny"
    stored = json.loads((folder / "reproduction.json").read_text(encoding="utf-8"))
    assert stored == {key: value for key, value in told.items() if key not in ("folder", "pending")}
    values = [
        json.loads((folder / "rnn" / f"seed-{seed}" / "result.json").read_text())["validation"]["loss"]
        for seed in (0, 1)
    ]
    assert told["lines"][1]["ours"]["mean"] == pytest.approx(sum(values) / 2)
    assert "A tiny reproduction" in (folder / "report.html").read_text(encoding="utf-8")
    # more steps make another experiment, in a folder of its own
    code, out, err = in_process(
        capsys, monkeypatch, "reproduce", "tiny", "trainer.max_steps=2", "--seeds", "1", "--json", "--out", "there"
    )
    assert code == 0, err
    (other,) = json.loads(out)
    assert {line["verdict"]["finding"] for line in other["lines"]} == {"not comparable"}
    assert other["folder"].startswith("there/tiny-")
    assert json.loads((folder / "reproduction.json").read_text(encoding="utf-8")) == stored
