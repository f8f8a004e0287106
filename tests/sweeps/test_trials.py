"""Which trials are made: all of a grid; of a search the same ones, wherever it was stopped, and whatever ends first."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from seqlab.config.overrides import key_of
from seqlab.core.metric import Metric
from seqlab.errors import CheckpointError, ConfigError, Interrupted, NumericError, ResourceError
from seqlab.sweeps.study import Study
from seqlab.sweeps.summary import main_effects, summarise
from seqlab.sweeps.trial import Trial, read_trials, write_trials
from tests.sweeps.made import WORDS, Maker, grid, loss, planned, searched

GRID = ["model=rnn,gru", "optim.learning_rate=1e-3,4e-3,0.1", "model.width=range(8,25,8)"]
TRIALS = 14


def test_a_grid_is_made_whole_and_a_stopped_one_goes_on(tmp_path: Path) -> None:
    plan, request = planned(GRID, None)
    whole = Maker()
    trials = grid(plan, request, tmp_path / "whole", whole)
    assert len(trials) == len(whole.made) == 18
    assert [trial.overrides for trial in trials][:2] == [
        ("model=rnn", "optim.learning_rate=0.001", "model.width=8"),
        ("model=rnn", "optim.learning_rate=0.001", "model.width=16"),
    ]
    assert {trial.outcome for trial in trials if "optim.learning_rate=0.1" in trial.overrides} == {"diverged"}
    words = (tmp_path / "whole" / "trial-004" / "overrides.txt").read_text().splitlines()
    assert {"model=rnn", "optim.learning_rate=0.004", "model.width=16", "seed=0"} <= set(words)
    stopped, second = Maker(stop_after=30), Maker()
    with pytest.raises(Interrupted):
        grid(plan, request, tmp_path / "stopped", stopped)
    assert grid(plan, request, tmp_path / "stopped", second) == trials
    assert sorted({*stopped.made, *second.made}) == sorted(whole.made)
    assert len(stopped.made) + len(second.made) == 19  # the one that was stopped half-way


def test_main_effects_of_a_grid_are_shares_of_the_variance() -> None:
    plan, request = planned(["model.width=8,16", "model.layers=1,2", "model.dropout=0.1,0.2"], None)
    del plan
    axes = [*request.axes.values()]

    def value(swept: tuple[str, ...]) -> float:
        chosen = {key_of(word): float(word.partition("=")[2]) for word in swept}
        return 4 * (chosen["model.width"] == 8) + 3 * (chosen["model.layers"] == 1)

    trials = [
        Trial(number, swept, 0, number, "complete", 1, (), (Metric(value(swept), "", higher_is_better=False),))
        for number, swept in enumerate(request.grid())
    ]
    assert main_effects(trials, axes) == pytest.approx(
        {"model.width": 16 / 25, "model.layers": 9 / 25, "model.dropout": 0.0}
    )
    assert main_effects(trials[:1], axes) == {}


@pytest.mark.parametrize("batch", [1, 3])
def test_a_search_stopped_anywhere_makes_the_same_trials_and_chooses_the_same(tmp_path: Path, batch: int) -> None:
    plan, request = planned(WORDS, TRIALS, batch=batch)
    maker = Maker()
    expected, _ = searched(plan, request, tmp_path / "whole", maker)
    assert len(expected) == TRIALS
    outcomes = [trial.outcome for trial in expected]
    assert outcomes.count("pruned") > 1
    assert outcomes[:5].count("pruned") == 0
    for after in random.Random(batch).sample(range(1, maker.validated - 4), 2):
        folder = tmp_path / str(after)
        with pytest.raises(Interrupted):
            searched(plan, request, folder, Maker(stop_after=after))
        second = Maker(stop_after=2)
        with pytest.raises(Interrupted):
            searched(plan, request, folder, second)
        assert searched(plan, request, folder, Maker())[0] == expected
        assert read_trials(folder) == expected
        nothing = Maker()
        assert searched(plan, request, folder, nothing)[0] == expected
        assert nothing.made == []


def test_a_longer_search_begins_as_a_shorter_one(tmp_path: Path) -> None:
    plan, request = planned(WORDS, 6)
    short, _ = searched(plan, request, tmp_path, Maker())
    longer, more = planned(WORDS, 8)
    assert longer.digest == plan.digest
    maker = Maker()
    assert searched(longer, more, tmp_path, maker)[0][:6] == short
    assert maker.made == ["trial-006", "trial-007"]


def test_what_is_chosen_and_pruned_does_not_depend_on_when_validations_are_seen(tmp_path: Path) -> None:
    plan, request = planned(WORDS, TRIALS, batch=2)
    expected, _ = searched(plan, request, tmp_path, Maker())
    axes = [*request.axes.values()]
    for draw in map(random.Random, range(2)):
        study = Study(axes, 0, prune=True)
        for first in range(0, TRIALS, 2):
            chosen = [study.ask(), study.ask()]
            assert chosen == [trial.overrides for trial in expected[first : first + 2]]
            for trial in draw.sample(expected[first : first + 2], 2):  # either may be ahead
                # it may have been trained to its end before anybody looked
                found = loss({key_of(word): word.partition("=")[2] for word in trial.overrides})
                curve = [(step, None if found is None else found + 8 / step) for step in (10, 20, 30, 40)]
                seen = draw.randint(0, 4)
                study.pruned_at(trial.number, curve[:seen], 40)
                at = study.pruned_at(trial.number, curve, 40)
                assert at == (trial.step if trial.outcome == "pruned" else None)
            for trial in expected[first : first + 2]:
                study.tell(trial)


def test_settings_that_do_not_fit_together_are_a_trial_that_is_not_run_and_equal_ones_are_run_once(
    tmp_path: Path,
) -> None:
    words = ["model=transformer", "model.width=24,32", "model.heads=3,4", "trainer.max_steps=40"]
    plan, request = planned(words, 12)
    maker = Maker(lambda chosen: float(chosen["model.width"]))
    trials, _ = searched(plan, request, tmp_path, maker)
    known = {trial.overrides: trial for trial in trials}
    assert len(known) <= 4
    for trial in trials:
        if trial.overrides == ("model.width=32", "model.heads=3"):
            assert trial.outcome == "impossible"
            assert "must divide" in trial.reason
        else:
            assert trial.outcome == "complete"
        first = next(other.number for other in trials if other.overrides == trial.overrides)
        assert trial.run == first
    possible = {trial.run for trial in trials if trial.outcome == "complete"}
    assert maker.made == [f"trial-{number:03}" for number in sorted(possible)]


def test_a_run_that_failed_is_repeated_and_other_lists_of_trials_are_refused(tmp_path: Path) -> None:
    plan, request = planned(WORDS, 3)

    class Killed(Maker):
        def __call__(self, jobs, to_stop):  # type: ignore[no-untyped-def]
            for job in jobs:
                job.status, job.code, job.reason = "failed", -9, "killed by SIGKILL"

    with pytest.raises(ResourceError, match=r"trial 0 \(.*\) failed: killed by SIGKILL"):
        searched(plan, request, tmp_path, Killed())
    trials, _ = searched(plan, request, tmp_path, Maker())
    other = [Trial(**{**vars(trials[0]), "overrides": ("model=lstm", *trials[0].overrides[1:])})]
    write_trials(other, tmp_path)
    with pytest.raises(CheckpointError, match="this search chooses"):
        searched(plan, request, tmp_path, Maker())
    lines = [json.dumps({"number": 0}), ""]
    for text in (lines[0], "{"):
        (tmp_path / "trials.jsonl").write_text(text)
        with pytest.raises(CheckpointError, match="is damaged"):
            read_trials(tmp_path)
    write_trials(trials[1:], tmp_path)
    with pytest.raises(CheckpointError, match="lacks trials"):
        read_trials(tmp_path)


def test_the_best_is_chosen_on_validation_alone(tmp_path: Path) -> None:
    plan, request = planned(GRID, None)
    trials = grid(plan, request, tmp_path, Maker())
    best = tmp_path / "trial-014" / "result.json"
    for number in range(18):  # whatever the test split says
        path = tmp_path / f"trial-{number:03}" / "result.json"
        if path.is_file():
            path.write_text(json.dumps({**json.loads(path.read_text()), "test": {"loss": -1.0}}))
    best.write_text(json.dumps({**json.loads(best.read_text()), "test": {"loss": 9.0}}))
    summary = summarise(request, plan, trials, {}, {}, tmp_path, "")
    assert summary is not None
    assert (summary.best.number, summary.test) == (14, 9.0)
    assert summary.best_command == "seqlab train model=gru optim.learning_rate=0.004 model.width=24"
    assert [trial.value for trial in summary.trials if trial.value is not None] == sorted(
        trial.value for trial in trials if trial.value is not None
    )


def test_of_equal_trials_the_newest_is_chosen_and_stands_first(tmp_path: Path) -> None:
    plan, request = planned(GRID, None)
    trials = grid(plan, request, tmp_path, Maker(lambda _: 2.0))
    summary = summarise(request, plan, trials, {}, main_effects(trials, request.axes.values()), tmp_path, "")
    assert summary is not None
    assert summary.best.number == summary.trials[0].number == 17
    assert summary.importance == {}


def test_nothing_that_can_be_chosen_is_an_error(tmp_path: Path) -> None:
    plan, request = planned(GRID, None)
    trials = grid(plan, request, tmp_path, Maker(lambda _: None))
    with pytest.raises(NumericError, match="diverged in every trial"):
        summarise(request, plan, trials, {}, {}, tmp_path, "")
    impossible = [Trial(0, ("model.heads=3",), 0, 0, "impossible", reason="model.heads=3 must divide")]
    with pytest.raises(ConfigError, match="must divide"):
        summarise(request, plan, impossible, {}, {}, tmp_path, "")
    assert summarise(request, plan, [], {0: "killed"}, {}, tmp_path, "") is None
