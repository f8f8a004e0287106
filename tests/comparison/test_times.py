"""Estimated and actual times, from constructed figures: nothing here is timed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from seqlab.cli.plan_display import show_plan
from seqlab.comparison.options import Tuning
from seqlab.comparison.plan import Plan
from seqlab.comparison.reading import CompletedRun
from seqlab.comparison.times import ProcessTime, Times, compare_times, read_times, record_time
from seqlab.executors.job import Job
from tests.comparison.test_report import example_plan, example_summary, published

FOLDER = Path("runs/compare/x")
NAMES = ("rnn/seed-0", "rnn/seed-1")


def _plan(**changes: Any) -> Plan:
    """Two runs of 100 s: 40 s of steps, four validations, the test."""
    plan = example_plan()
    variant = plan.variants[0]
    assert variant.probe is not None
    probe = replace(variant.probe, step_seconds=0.1, validation_seconds=9.0, final_seconds=18.0, start_seconds=6.0)
    return replace(plan, variants=(replace(variant, probe=probe),), seeds=(0, 1), **changes)


def _runs(seconds: float = 40.0, steps: int = 400) -> list[CompletedRun]:
    result = {"seconds": seconds, "steps": steps}
    return [CompletedRun("rnn", seed, str(FOLDER / name), result, (), "") for seed, name in enumerate(NAMES)]


def _taken(seconds: float, load: float | None = 0.5, **changes: Any) -> list[ProcessTime]:
    return [replace(ProcessTime(name, 100.0, seconds, resumed=False, load=load), **changes) for name in NAMES]


def _times(taken: list[ProcessTime], plan: Plan | None = None, runs: list[CompletedRun] | None = None) -> Times:
    found = compare_times(plan or _plan(), runs or _runs(), taken, FOLDER)
    assert found is not None
    return found


def test_a_run_is_estimated_from_its_parts() -> None:
    assert _plan().variants[0].known_seconds == pytest.approx(40 + 4 * 9 + 18 + 6)
    assert replace(_plan().variants[0], max_steps=None).known_seconds == 0


def test_within_a_quarter_nothing_is_explained() -> None:
    for seconds in (75.0, 100.0, 125.0):
        assert _times(_taken(seconds)).reasons == ()
    assert _times(_taken(120.0)).text() == "runs: estimated 3:20, took 4:00"
    assert compare_times(_plan(), _runs(), [], FOLDER) is None


def test_beyond_a_quarter_it_says_where_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    slow = _times(_taken(180.0, load=3.9), runs=_runs(seconds=110.0))
    assert slow.text() == (
        "runs: estimated 3:20, took 6:00: steps took 3:40 and 1:20 were expected, all else 2:20 and 2:00; "
        "the machine was busy while they ran (load average 3.9 on 2 cores)"
    )
    assert _times(_taken(180.0, load=2.1)).reasons[1] == "no cause is known"
    assert _times(_taken(180.0, load=None)).reasons[1] == "no cause is known"
    compiled = replace(_plan().variants[0], overrides=("model=rnn", "device.compile=always"))
    assert "compiled" in _times(_taken(180.0), replace(_plan(), variants=(compiled,))).reasons[-1]
    early = _times(_taken(60.0), _plan(busy=3), _runs(seconds=15.0, steps=150))
    assert early.reasons[1:] == (
        "the machine was busy while steps were measured (3 other threads)",
        "2 runs were over before the last step (patience, seconds or epochs)",
    )


def test_a_resumed_run_is_estimated_once_and_takes_all_its_processes() -> None:
    first, second = _taken(90.0)
    again = replace(second, seconds=80.0, resumed=True)
    found = _times([first, second, again])
    assert (found.estimated, found.actual) == (200.0, 260.0)
    assert found.reasons[-1] == "1 run was stopped and resumed, and each start costs again"
    partly = _times([replace(entry, seconds=40.0, resumed=True) for entry in (first, second)])
    assert partly.reasons[-1] == "2 runs were resumed, and what was done before was not timed"


def test_trials_beyond_the_initial_values_are_not_in_the_estimate() -> None:
    more = [ProcessTime(f"tune/rnn/learning_rate=0.0{i}", 0.0, 50.0, resumed=False, load=None) for i in (1, 2)]
    found = _times([*_taken(100.0), *more])
    assert (found.estimated, found.actual) == (200.0, 300.0)
    assert found.reasons[-1] == "the search tried 2 more values (1:40)"
    unknown = _times([replace(entry, estimated=0.0) for entry in _taken(100.0)])
    assert unknown.text().startswith("runs: took 3:20: ")
    assert unknown.reasons[-1] == "for some models the number of steps, or the time of one, was not known beforehand"


def test_times_are_read_back_and_a_truncated_line_is_skipped(tmp_path: Path) -> None:
    job = Job("rnn", 0, tmp_path / "rnn" / "seed-0", (), None, estimated_seconds=7.0)
    job.seconds, job.load = 8.0, 1.5
    record_time(job, tmp_path)
    job.resumed = True
    record_time(job, tmp_path)
    first = ProcessTime("rnn/seed-0", 7.0, 8.0, resumed=False, load=1.5)
    assert read_times(tmp_path) == [first, replace(first, resumed=True)]
    with (tmp_path / "times.jsonl").open("a") as file:
        file.write('{"run": "rn')
    record_time(job, tmp_path)
    assert read_times(tmp_path) == [first, *2 * [replace(first, resumed=True)]]
    assert read_times(tmp_path / "nowhere") == []


def test_a_plan_says_how_long_a_search_may_take() -> None:
    console = Console(width=200, record=True)
    show_plan(_plan(tune=Tuning("optim.learning_rate", 3, ())), console)
    text = console.export_text()
    assert "3 values of optim.learning_rate for each model, chosen on validation; at most 3 more where the best" in text
    assert "about 8:20 in all, one run after the other, and at most 5:00 more for the search" in text
    show_plan(_plan(tune=Tuning("optim.learning_rate", 3, (0.1, 0.2, 0.3))), console)
    assert "more" not in console.export_text()


def test_times_and_data_stand_in_terminal_report_and_json(tmp_path: Path) -> None:
    summary = example_summary()
    data: dict[str, int | str] = {"corpus": "<mine>.txt", "train characters": 90_000, "test characters": 5_000}
    data["training texts that are in validation or test"] = "12 dropped"
    plan = replace(summary.plan, data=data, data_sha256="ab")
    times = Times(200.0, 360.0, ("steps took 3:40 and 1:20 were expected, all else 2:20 and 2:00", "it was busy"))
    summary = replace(summary, plan=plan, times=times)
    page, terminal, stored = published(summary, tmp_path, 300)
    shown = {key: f"{value:,}" if isinstance(value, int) else value for key, value in data.items()}
    for key, value in shown.items():
        assert f"{key}: {value}" in terminal
        assert f"<dt>{key}</dt><dd>{value.replace('<', '&lt;').replace('>', '&gt;')}</dd>" in page
    assert page.index('id="data"') < page.index('id="verdicts"')
    assert stored["data"] == {**data, "sha256": "ab"}
    assert stored["time"] == {"promised_seconds": 200.0, "taken_seconds": 360.0, "why": list(times.reasons)}
    assert times.text() in terminal
    assert times.text()[1:] in page
