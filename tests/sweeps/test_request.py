"""The words and options of `seqlab sweep`: what they ask for, and mistakes explained before anything runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.plan import write_plan
from seqlab.errors import ConfigError
from seqlab.executors.execution import read_execution
from seqlab.sweeps import request as requests
from seqlab.sweeps.plan import digest_of, read_plan
from seqlab.sweeps.request import check_watched, read_sweep
from seqlab.sweeps.trials import check_trials
from tests.commands import Capture, Patch, in_process
from tests.sweeps.made import WORDS, planned


def test_models_are_the_choices_of_groups_in_the_middle_of_the_rest() -> None:
    words = ["task=char_lm", "model=lstm,gru", "model.width=range(64,257,64)", "optim.learning_rate=1e-3,3e-3,1e-2"]
    request = read_sweep(words)
    assert request.count == len(list(request.grid())) == 24
    assert [(spec.label, spec.overrides) for spec in request.models.models] == [
        ("lstm", ("model.width=192", "optim.learning_rate=0.003")),
        ("gru", ("model.width=192", "optim.learning_rate=0.003")),
    ]
    trial = ("model=gru", "model.width=64", "optim.learning_rate=0.01")
    assert request.label(trial) == "gru"
    assert request.command(trial) == "seqlab train task=char_lm model=gru model.width=64 optim.learning_rate=0.01"
    assert shlex.split(request.command(trial))[2:] == ["task=char_lm", *trial]


def test_an_interval_of_a_setting_that_counts_is_in_whole_numbers() -> None:
    words = ["model.width=interval(8,64)", "model.dropout=interval(0,0.5)", "trainer.clip_norm=int(interval(1,9))"]
    request = read_sweep(words, search="optuna")
    assert [axis.whole for axis in request.axes.values()] == [True, False, True]
    assert request.count == 20


def test_a_sweep_is_the_same_with_more_trials_and_another_with_other_values() -> None:
    def digest(*words: str, trials: int = 5, prune: bool = True) -> str:
        request = read_sweep([*words, *WORDS[1:]], search="optuna", trials=trials, prune=prune)
        return digest_of(parse_plan(request.models, None)[0], request)

    found = digest("model=rnn,gru")
    assert found == digest("model=rnn,gru", trials=9)
    assert len({found, digest("model=gru,rnn"), digest("model=rnn,gru", prune=False)}) == 3


@pytest.mark.parametrize(
    ("words", "options", "parts"),
    [
        (["model=lstm"], [], ["no setting has several values", "try: seqlab sweep optim"]),
        (["model=lstm,gru", "model.wdth=64"], [], ["there is no setting 'model.wdth'", "model.width"]),
        (["model.wdth=64,128"], [], ["there is no setting 'model.wdth'", "did you mean model.width"]),
        (["model=lstn,gru"], [], ["there is no model called 'lstn'", "model=lstm"]),
        (["model.width=range(64,64)"], [], ["has no values"]),
        (["model=lstm,transformer", "model.heads=2,4"], [], ["model.heads is no setting of model=lstm", "apart"]),
        (["model=transformer", "model.heads=3,4"], [], ["model.heads=3: model.heads=3 must divide"]),
        (["model.width=8,0"], [], ["lstm: model.width=0", "greater than 0"]),
        (["model.dropout=interval(0,0.5)"], [], ["a grid cannot list an interval", "--search optuna"]),
        (["model.dropout=interval(0,1.5)"], ["--search", "optuna"], ["model.dropout=1.5", "less than 1"]),
        (["model.width=range(8,900)", "model.layers=1,2"], [], ["1,784 trials (892 x 2)", "--search optuna"]),
        (["seed=range(5)"], [], ["the best of several seeds is chance", "seqlab compare MODEL --seeds 5"]),
        (["task=char_lm,sentiment"], [], ["judged on the same data"]),
        (["task.train_share=0.7,0.8"], [], ["would not be judged on the same data"]),
        (["device.processes=1,2"], [], ["device.processes=1,2' cannot be swept"]),
        (
            ["model.width=8,16", "device.processes=2"],
            [],
            ["device.processes=2: here each run is", "--jobs"],
        ),
        (["model.width=8,16", "model.width=9"], [], ["model.width is given 2 times"]),
        (["model=interval(1,2)"], ["--search", "optuna"], ["model has names, not numbers"]),
        (["model.width=8,16"], ["--trials", "9"], ["a grid has as many as it has", "--search optuna"]),
        (["model.width=8,16"], ["--search", "bayes"], ["there is no such search", "grid, optuna"]),
        (["model.width=8,16"], ["--search", "optuna", "--trials", "0"], ["--trials 0: from 1 to 1,000"]),
        (["model.width=8,16", "["], [], ["cannot read the override '['"]),
        (["model.width=8,16"], ["--name", "../x"], ["a name begins with"]),
        (["model.width=8,16"], ["--jobs", "0"], ["--jobs"]),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else None,
)
def test_a_mistake_is_explained_in_three_lines_and_leaves_nothing(
    words: list[str], options: list[str], parts: list[str], tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = in_process(capsys, monkeypatch, "sweep", *words, *options)
    assert (code, out) == (2, "")
    for part in parts:
        assert part in err
    assert len(err.replace("measuring a few steps\n", "").strip().splitlines()) <= 3
    assert not list(tmp_path.iterdir())


def test_without_optuna_the_extra_is_named(monkeypatch: Patch) -> None:
    monkeypatch.setattr(requests, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"needs the package optuna\ntry: pip install 'seqlab\[tune\]'"):
        read_sweep(["model.width=8,16"], search="optuna")


def test_every_trial_of_a_grid_is_checked_before_the_first() -> None:
    request = read_sweep(["model=transformer", "model.width=40,32", "model.heads=4,8"])
    _, configs = parse_plan(request.models, None)
    with pytest.raises(ConfigError, match=r"model\.width=40 model\.heads=8: .*must be even"):
        check_trials(request, configs)


def test_another_sweep_in_the_folder_is_refused(tmp_path: Path) -> None:
    plan, _ = planned(WORDS, 3)
    assert read_plan(tmp_path, plan.digest) is None
    write_plan(plan, tmp_path)
    assert read_plan(tmp_path, plan.digest) == plan
    with pytest.raises(ConfigError, match="holds another sweep"):
        read_plan(tmp_path, "0")
    for text, what in ((b"{", "is damaged"), (b"", "is damaged")):
        (tmp_path / "plan.json").write_bytes(text)
        with pytest.raises(Exception, match=what):
            read_plan(tmp_path, plan.digest)
    (tmp_path / "plan.json").unlink()
    (tmp_path / "trial-000").mkdir()
    with pytest.raises(Exception, match=r"plan\.json is missing"):
        read_plan(tmp_path, plan.digest)


@pytest.mark.parametrize(
    ("executor", "submit", "prune", "hint"),
    [
        ("script", False, True, "take another executor"),
        ("slurm", True, True, "leave --submit out"),
        ("slurm", False, True, ""),
        ("local", True, True, ""),
        ("script", True, False, ""),
    ],
)
def test_a_search_is_pruned_only_where_somebody_watches(executor: str, submit: bool, prune: bool, hint: str) -> None:
    request = read_sweep(["model.width=range(8,41,8)"], search="optuna", prune=prune)
    _, execution = read_execution([], executor, submit=submit)
    if not hint:
        check_watched(request, execution)
        return
    with pytest.raises(ConfigError, match="no trial of the search could be pruned") as raised:
        check_watched(request, execution)
    assert f"add --no-prune, or {hint}" in str(raised.value)
