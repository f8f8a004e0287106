"""The words of the command line."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from seqlab.comparison.options import Budget, Match, Tuning, read_budget, read_count, read_match, read_tuning
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.plan import slug
from seqlab.comparison.request import ModelSpec, read_request
from seqlab.config.overrides import merged
from seqlab.errors import CheckpointError, ConfigError
from tests.conftest import MODELS


def test_each_kind_of_word_is_parsed_as_documented() -> None:
    request = read_request(
        ["lstm", "lstm model.layers=2", "deep: gru model.layers=4", "runs/char_lm/lstm/A", "trainer.clip_norm=0.5",
         "task.corpus=texts/a.txt"],
    )  # fmt: skip
    assert [(a.label, a.model, a.overrides) for a in request.models] == [
        ("lstm", "lstm", ()),
        ("lstm layers=2", "lstm", ("model.layers=2",)),
        ("deep", "gru", ("model.layers=4",)),
    ]
    assert request.runs == (Path("runs/char_lm/lstm/A"),)
    assert request.overrides == ("trainer.clip_norm=0.5", "task.corpus=texts/a.txt")


def test_a_variants_own_overrides_beat_the_shared_ones() -> None:
    assert merged(("a.b=1", "c=2"), ("a.b=3",)) == ("c=2", "a.b=3")


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("60s", Budget(60, "seconds", "60s")),
        ("5min", Budget(300, "seconds", "5min")),
        ("2Mtokens", Budget(2e6, "tokens", "2Mtokens")),
        ("1e14flop", Budget(1e14, "flop", "1e14flop")),
        ("3Tflops", Budget(3e12, "flop", "3Tflops")),
        ("1000steps", Budget(1000, "steps", "1000steps")),
    ],
)
def test_budgets(text: str, budget: Budget) -> None:
    assert read_budget(text) == budget


def test_counts_sizes_and_searches() -> None:
    assert [read_count(t, "") for t in ("500k", "1.5M", "2e6", "300000")] == [500_000, 1_500_000, 2_000_000, 300_000]
    assert read_match("body=500k") == Match("body", 500_000)
    assert read_tuning("lr=5") == Tuning("optim.learning_rate", 5, ())
    assert read_tuning("lr=0.003,0.001") == Tuning("optim.learning_rate", 2, (0.001, 0.003))
    assert read_tuning("optim.weight_decay=3").key == "optim.weight_decay"


@pytest.mark.parametrize(
    ("words", "options", "part"),
    [
        ([], {}, "nothing to compare"),
        (["task=sentiment"], {}, "nothing to compare"),
        (["rnn", "rnn"], {}, "named twice"),
        (["rnn", "model=lstm"], {}, "takes models as words"),
        (["rnn", "init_from=runs/a/b"], {}, "fits one model only"),
        (["rnn", "lstm model.layers"], {}, "is no override"),
        (["rnn", "lstm task=sentiment"], {}, "cannot differ between models"),
        (["rnn", "x: "], {}, "names no model"),
        (["rnn", "lstm 'model.layers=2"], {}, "cannot read"),
        (["rnn"], {"seeds": 0}, "one seed"),
        (["rnn"], {"budget": "60"}, "cannot be read"),
        (["rnn"], {"budget": "0s"}, "cannot be read"),
        (["rnn"], {"budget": "1e999tokens"}, "cannot be read"),
        (["rnn"], {"match": "500k"}, "there is no part"),
        (["rnn"], {"match": "body=many"}, "is not a count"),
        (["rnn"], {"tune": "lr"}, "cannot be read"),
        (["rnn"], {"tune": "lr=1"}, "from 2 to 20"),
        (["rnn"], {"tune": "lr=-1,2"}, "cannot be read"),
        (["rnn"], {"tune": "width=3"}, "cannot be read"),
        (["rnn"], {"tune": "model.width=3"}, "cannot be read"),
    ],
)  # fmt: skip
def test_contradictory_or_invalid_words_are_refused(words: list[str], options: dict[str, str | int], part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        read_request(words, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["model=rnn", "model=lstm"], "rnn lstm"),
        (["rnn", "model=lstm,rnn", "task=sentiment"], "rnn lstm task=sentiment"),
        (["rnn", "gru,lstm", "deep: lstm model.layers=2"], "rnn gru lstm 'deep: lstm model.layers=2'"),
    ],
)
def test_the_suggested_command_names_every_model(words: list[str], line: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_request(words)
    assert error.value.hint == f"try: seqlab compare {line}"
    read_request(shlex.split(line))


def test_labels_make_plain_folder_names() -> None:
    assert slug("lstm layers=2") == "lstm_layers=2"
    assert slug("../x/ö") == "x"
    assert slug("//") == "variant"


def test_a_run_folder_may_have_any_name(tmp_path: Path) -> None:
    run = tmp_path / "a b" / "learning_rate=0.1"
    run.mkdir(parents=True)
    (run / "config.yaml").touch()
    request = read_request([str(run), "task.corpus=my texts/a b.txt", "rnn"])
    assert request.runs == (run,)
    assert request.overrides == ("task.corpus=my texts/a b.txt",)


@pytest.fixture
def named_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Below runs/, a run called deep, one called like a model, and two called twice."""
    monkeypatch.chdir(tmp_path)
    for run in ("rnn/v_deep", "gru/lstm", "rnn/twice", "gru/twice"):
        (tmp_path / "runs" / "char_lm" / run).mkdir(parents=True)
        (tmp_path / "runs" / "char_lm" / run / "config.yaml").touch()
    (tmp_path / "gru").mkdir()
    (tmp_path / "gru" / "config.yaml").touch()
    return tmp_path


@pytest.mark.usefixtures("named_runs")
def test_a_word_may_name_a_run_but_a_model_of_that_name_takes_precedence() -> None:
    words = ["v_deep", "lstm", "gru", "./gru", "last", "best:char_lm", "rnn/v_deep", "twice"]
    request = read_request(words)
    assert [spec.label for spec in request.models] == ["lstm", "gru"]
    assert [str(run) for run in request.runs] == ["v_deep", "gru", "last", "best:char_lm", "rnn/v_deep", "twice"]
    with pytest.raises(CheckpointError, match="2 runs are called twice"):
        parse_plan(read_request(["lstm", "twice"]), None)
    with pytest.raises(ConfigError, match="there is no model called 'v_deep'"):
        read_request(["lstm", "v_deep", "runs_dir=elsewhere"])


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("v_dep", "v_deep"),
        ("lsmt", "lstm"),
        ("lstn", "lstm"),
        ("lstmm", "lstm"),
        ("rnm", "rnn"),
        ("gur", "gru"),
        ("lats", "last"),
        ("lasr", "last"),
        ("bets:char_lm", "best:char_lm"),
        ("xyz", ""),
        ("cnn", ""),
        ("xlstm", ""),
    ],
)
@pytest.mark.usefixtures("named_runs")
def test_an_unknown_word_gets_the_nearest_model_or_run_as_a_hint(word: str, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_request(["rnn", word])
    assert error.value.what == f"there is no model called '{word}', nor a run"
    assert error.value.hint == (f"did you mean {hint}?" if hint else "")
    assert error.value.allowed.startswith(f"models: {', '.join(MODELS)}")


def test_a_model_of_ones_own_is_a_word_too(named_runs: Path) -> None:
    (named_runs / "model").mkdir()
    (named_runs / "model" / "v_deep.yaml").touch()
    request = read_request(["v_deep"], config_dir=named_runs)
    assert (request.models, request.runs) == ((ModelSpec("v_deep", "v_deep", ()),), ())
