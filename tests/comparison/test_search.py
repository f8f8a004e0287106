"""Which values a search tries, when it ends, and that it resumes as if it had not been stopped."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.comparison.options import Tuning
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.plan import Plan, read_plan, write_plan
from seqlab.comparison.request import read_request
from seqlab.comparison.search import search
from seqlab.comparison.trials import Trials
from seqlab.comparison.wording import tuned_line
from seqlab.config.run import RunConfig
from seqlab.core.metric import Criterion, Metric
from seqlab.errors import Interrupted, NumericError, ResourceError
from seqlab.executors.job import Job
from tests.commands import Capture, Patch, in_process
from tests.conftest import TEXT, on_corpus, tiny_config, tiny_overrides

WORDS = [
    word
    for word in tiny_overrides("rnn", "char_lm", *on_corpus("char_lm", TEXT), "device.threads=1")
    if not word.startswith("model=")
]
Loss = Callable[[float], float | None]


def _trials(tune: str, *overrides: str) -> Trials:
    name, _, rest = tune.partition("=")
    values = tuple(map(float, rest.split(","))) if "," in rest else ()
    return Trials(Tuning(name, len(values) or int(rest), values), _config(*overrides), "rnn")


@functools.cache
def _config(*overrides: str) -> RunConfig:
    return tiny_config("rnn", "char_lm", *overrides)


def _run(trials: Trials, loss: Loss, possible: Callable[[str], bool] = lambda _: True) -> list[str]:
    """All values tried, in order."""
    while due := trials.next_values(possible):
        for value in due:
            found = loss(float(value))
            metric = None if found is None else Metric(found, "nats", higher_is_better=False)
            trials.validated[value] = None if metric is None else Criterion((metric,))
    return list(trials.validated)


def _bowl(best: float) -> Loss:
    return lambda value: abs(math.log(value / best))


def test_the_own_value_is_in_the_middle_and_a_best_inside_is_the_end() -> None:
    trials = _trials("optim.learning_rate=5", "optim.learning_rate=0.004")
    assert _run(trials, _bowl(0.0041)) == ["0.001", "0.002", "0.004", "0.008", "0.016"]
    assert (trials.best, trials.stop_reason, trials.at_edge) == ("0.004", "best inside", False)


@pytest.mark.parametrize(
    ("best", "more", "chosen"),
    [(0.032, ["0.016", "0.032", "0.064"], "0.032"), (0.0005, ["0.001", "0.0005", "0.00025"], "0.0005")],
)
def test_a_best_at_an_edge_is_followed_in_its_direction_one_at_a_time(
    best: float, more: list[str], chosen: str
) -> None:
    trials = _trials("optim.learning_rate=3", "optim.learning_rate=0.004")
    assert _run(trials, _bowl(best)) == ["0.002", "0.004", "0.008", *more]
    assert trials.best == chosen
    assert trials.stop_reason == f"went on at the edge with {', '.join(more)}; best inside"
    assert not trials.at_edge


def test_reaching_the_bound_is_reported() -> None:
    trials = _trials("optim.learning_rate=3", "optim.learning_rate=0.004")
    assert len(_run(trials, lambda value: -value)) == 6
    assert trials.best == "0.064"
    assert trials.stop_reason.endswith("bound of 3 more reached: best at the edge, read with care")
    assert trials.at_edge


def test_a_search_never_goes_beyond_a_diverged_value() -> None:
    trials = _trials("optim.learning_rate=3", "optim.learning_rate=0.004")
    assert _run(trials, lambda value: None if value > 0.01 else -value)[3:] == ["0.016"]
    assert (trials.best, trials.at_edge) == ("0.008", False)
    first = _trials("optim.learning_rate=3", "optim.learning_rate=0.004")
    assert _run(first, lambda value: None if value > 0.005 else -value) == ["0.002", "0.004", "0.008"]
    assert (first.best, first.stop_reason) == ("0.004", "best inside")
    none = _trials("optim.learning_rate=3", "optim.learning_rate=0.004")
    assert len(_run(none, lambda _: None)) == 3
    assert none.best is None


def test_given_values_are_not_extended_and_an_edge_is_noted() -> None:
    trials = _trials("optim.learning_rate=0.001,0.002,0.004")
    assert len(_run(trials, _bowl(0.1))) == 3
    assert trials.stop_reason == "best at the edge of the given values, read with care"
    inside = _trials("optim.learning_rate=0.001,0.002,0.004")
    _run(inside, _bowl(0.002))
    assert not inside.at_edge


def test_a_setting_that_counts_or_ends_somewhere() -> None:
    counted = _trials("optim.warmup_steps=3", "optim.warmup_steps=1")
    assert _run(counted, lambda value: -value) == ["1", "2", "4", "8", "16"]
    low = _trials("optim.warmup_steps=3", "optim.warmup_steps=2")
    assert _run(low, lambda value: value) == ["1", "2", "4"]
    assert low.stop_reason == "best at the edge, and optim.warmup_steps cannot be 1: read with care"
    share = _trials("model.dropout=3", "model.dropout=0.3")
    assert _run(share, lambda value: -value, lambda value: float(value) < 1) == ["0.15", "0.3", "0.6"]
    assert share.stop_reason == "best at the edge, and model.dropout cannot be 1.2: read with care"


@given(st.integers(2, 6), st.floats(-12, 12), st.one_of(st.none(), st.floats(-12, 12)))
def test_a_search_ends_within_its_bound_with_the_right_reason(count: int, best: float, cliff: float | None) -> None:
    """For any loss with one minimum, with or without a learning rate above which training diverges."""
    trials = _trials(f"optim.learning_rate={count}", "optim.learning_rate=0.004")
    diverges = math.inf if cliff is None else 0.004 * 2**cliff

    def loss(value: float) -> float | None:
        return None if value >= diverges else _bowl(0.004 * 2**best)(value)

    tried = _run(trials, loss)
    assert len(tried) <= 2 * count
    known = [value for value in tried if loss(float(value)) is not None]
    if not known:
        assert trials.best is None
        return
    assert trials.best == min(known, key=lambda value: (loss(float(value)) or 0.0, -tried.index(value)))
    place = sorted(map(float, tried)).index(float(trials.best))
    assert trials.at_edge == (place in (0, len(tried) - 1))
    if trials.at_edge:
        assert len(tried) == 2 * count
    assert all(float(value) < 2.01 * diverges for value in tried[count:])


# --- the runs of a search ------------------------------------------------------------------------


def _drafted(*words: str, tune: str) -> tuple[Plan, dict[str, RunConfig]]:
    plan, configs = parse_plan(read_request([*words, *WORDS, "optim.learning_rate=0.004"], tune=tune), None)
    return replace(plan, primary="loss"), configs


def _maker(loss: Loss, made: list[str], stop_after: int | None = None) -> Callable[[list[Job]], int | None]:
    """Writes what a run would leave behind, and counts; stopped after so many it raises as real ones do."""

    def make(jobs: list[Job]) -> int | None:
        for job in jobs:
            if not job.has_ended():
                if stop_after is not None and len(made) == stop_after:
                    raise Interrupted("stopped", "", 130)
                made.append(f"{job.label} {job.trial}")
                found = loss(float(job.trial.partition("=")[2]))
                job.folder.mkdir(parents=True)
                (job.folder / "overrides.txt").write_text("".join(f"{word}\n" for word in job.all_overrides()))
                if found is None:
                    job.status, job.code = "failed", NumericError.exit_code
                    (job.folder / "config.yaml").touch()
                    state = job.folder / "checkpoints" / "step-000000001"
                    state.mkdir(parents=True)
                    (state / "state.json").write_text(json.dumps({"progress": {"failed": True}}))
                    continue
                job.status = "done"
                kinds = {"loss": {"unit": "nats", "higher_is_better": False}}
                result = {"primary": "loss", "validation": {"loss": found}, "test": {}, "metrics": kinds, "seconds": 1}
                (job.folder / "result.json").write_text(json.dumps(result))
                (job.folder / "metrics.jsonl").touch()
        return None

    return make


def _losses(value: float) -> float | None:
    return None if value > 0.05 else _bowl(0.03)(value)


def test_a_resumed_search_repeats_no_trial_and_chooses_the_same(tmp_path: Path) -> None:
    plan, configs = _drafted("rnn", "gru", tune="lr=3")
    whole: list[str] = []
    expected = search(plan, configs, tmp_path / "whole", None, _maker(_losses, whole))
    rates = [word.partition("=")[2] for word in whole if word.startswith("rnn")]
    assert rates == ["0.002", "0.004", "0.008", "0.016", "0.032", "0.064"]
    assert list(expected.tuned["rnn"]) == rates
    assert expected.tuned["gru"]["0.064"] is None
    assert "optim.learning_rate=0.032" in expected.variants[1].overrides
    assert read_plan(tmp_path / "whole") == expected
    for after in range(1, len(whole)):
        folder, made = tmp_path / str(after), list[str]()
        with pytest.raises(Interrupted):
            search(plan, configs, folder, None, _maker(_losses, made, after))
        assert read_plan(folder) is None
        assert search(plan, configs, folder, None, _maker(_losses, made)) == expected
        assert made == whole
        nothing: list[str] = []
        assert search(expected, configs, folder, None, _maker(_losses, nothing)) == expected
        assert nothing == []


def test_a_best_value_at_an_edge_is_noted_and_other_failures_are_raised(tmp_path: Path) -> None:
    plan, configs = _drafted("rnn", tune="lr=2")
    found = search(plan, configs, tmp_path / "a", None, _maker(lambda value: -value, []))
    (note,) = found.notes
    assert note == (
        "rnn: search of optim.learning_rate: went on at the edge with 0.008, 0.016; "
        "bound of 2 more reached: best at the edge, read with care"
    )
    assert tuned_line(found, "rnn").endswith(
        "optim.learning_rate=0.016 validated best of 0.002, 0.004, 0.008, 0.016; went on at the edge with "
        "0.008, 0.016; bound of 2 more reached: best at the edge, read with care"
    )
    with pytest.raises(NumericError, match="diverged with every value"):
        search(plan, configs, tmp_path / "b", None, _maker(lambda _: None, []))

    def killed(jobs: list[Job]) -> None:
        jobs[0].status, jobs[0].code, jobs[0].reason = "failed", -9, "killed by SIGKILL"

    with pytest.raises(ResourceError, match=r"the trial of optim\.learning_rate=0\.002 failed: killed"):
        search(plan, configs, tmp_path / "c", None, killed)


def _search_again(folder: Path, before: dict[str, Any]) -> None:
    """As if it had been killed before the end of the search was stored."""
    plan = read_plan(folder)
    assert plan is not None
    variants = tuple(
        replace(v, overrides=tuple(w for w in v.overrides if not w.startswith("optim.learning_rate")))
        for v in plan.variants
    )
    notes = tuple(note for note in plan.notes if "search of" not in note)
    write_plan(replace(plan, variants=variants, notes=notes, tuned={}, tune_ended={}), folder)
    assert before["tuned"]


@pytest.mark.slow
def test_real_runs_are_extended_and_what_diverged_is_not_made_anew(
    tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["compare", "rnn", *WORDS, "--seeds", "1", "--json", "--name", "x"]
    code, out, err = in_process(capsys, monkeypatch, *words, "optim.learning_rate=1e-5", "--tune", "lr=2")
    assert code == 0, err
    found = json.loads(out)
    assert list(found["tuned"]["rnn"]) == ["5e-06", "1e-05", "2e-05", "4e-05"]
    assert "bound of 2 more reached" in found["tune_ended"]["rnn"]
    assert any("read with care" in note for note in found["notes"])
    assert "2 values of optim.learning_rate for each model, chosen on validation; at most 2 more" in err
    explodes = ["optim.warmup_steps=0", "trainer.clip_norm=null", "trainer.nonfinite_limit=1", "trainer.max_steps=30"]
    again = [*words[:-1], "y", *(w for w in explodes), "--tune", "lr=0.01,1e38"]
    for own in ("trainer.max_steps=4", "optim.warmup_steps=1"):
        again.remove(own)
    code, out, err = in_process(capsys, monkeypatch, *again)
    assert code == 0, err
    said = json.loads(out)
    assert said["tuned"]["rnn"]["1e+38"] is None
    folder = tmp_path / "runs" / "compare" / "y"
    kept = {path: path.stat().st_mtime_ns for path in (folder / "tune").rglob("*") if path.is_file()}
    _search_again(folder, said)
    code, out, err = in_process(capsys, monkeypatch, *again)
    assert code == 0, err
    assert json.loads(out)["tuned"] == said["tuned"]
    assert {path: path.stat().st_mtime_ns for path in (folder / "tune").rglob("*") if path.is_file()} == kept
