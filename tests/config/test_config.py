"""Overrides become a checked RunConfig; every mistake becomes at most three lines with a way out."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.config.run import RunConfig, load_run_config, read_run_config
from seqlab.config.sources import GROUPS, group_files
from seqlab.errors import ConfigError
from seqlab.tasks.char_lm import CharLMConfig
from tests.conftest import MODELS, PAIRS, TASKS, tiny_config, tiny_overrides

MISTAKES = {
    # overrides: parts of the three lines
    ("trainer.clip_nrom=1.0",): (
        "no setting 'trainer.clip_nrom'",
        "did you mean trainer.clip_norm=1.0?",
        "bptt_steps",
    ),
    ("lr=0.1",): ("no setting 'lr'", "did you mean optim.learning_rate=0.1?", "optim: "),
    ("learning_rate=0.1",): (
        "no setting 'learning_rate'",
        "did you mean optim.learning_rate=0.1?",
        "optim: ",
    ),
    ("+trainer.nope=1",): ("no setting 'trainer.nope'", "", "trainer: "),
    ("~trainer.clip_norm",): ("would remove a setting", "trainer.clip_norm=null", ""),
    ("~trainer.max_epochs",): ("would remove a setting", "trainer.max_epochs=null", ""),
    ("tuned=null",): ("chosen by task and model", "", ""),
    ("tuned=foo",): ("chosen by task and model", "", ""),
    ("task.train_share=.nan",): ("task.train_share", "", ""),
    ("task.sample_temperature=0",): ("task.sample_temperature=0", "greater than 0", ""),
    ("task=translation", "task.vocabulary_size=3"): ("task.vocabulary_size=3", "greater than 4", ""),
    ("device.gpus=2",): ("'device.gpus': a process of a run uses one device", "device.processes=2", "device: "),
    ("model=lstm", "model.positions=none"): (
        "no setting 'model.positions'",
        "it belongs to model=transformer",
        "model: width",
    ),
    ("task.embeddings=F",): ("no setting 'task.embeddings'", "", "task: corpus"),
    ("model.hidden_size=64",): ("no setting", "did you mean model.width=64?", ""),
    ("d_model=64",): ("no setting", "did you mean model.width=64?", ""),
    ("trainer.epochs=3",): ("no setting", "did you mean trainer.max_epochs=3?", ""),
    ("optimizer=sgd",): ("no setting", "did you mean optim=sgd?", ""),
    ("trainer.batch_size=3",): ("no setting", "there is task.batch_size", ""),
    ("trainer.clip_norm=none",): ("trainer.clip_norm=none", "null turns it off: trainer.clip_norm=null", ""),
    ("trainer.clip_norm=0",): ("greater than 0", "null turns it off: trainer.clip_norm=null", ""),
    ("trainer.clip_norm=false",): ("trainer.clip_norm", "null turns it off: trainer.clip_norm=null", ""),
    ("trainer.patience=0",): ("greater than 0", "null turns it off: trainer.patience=null", ""),
    ("bpe",): ("what a token is has a setting", "task.tokens=bpe", ""),
    ("~trainer",): ("would remove a setting", "", ""),
    ("~model",): ("would remove a setting", "choose one: model=NAME", ""),
    ("model=lsmt",): ("no model called 'lsmt'", "did you mean model=lstm?", ", ".join(MODELS)),
    ("modle=lstm",): ("modle", "did you mean model=lstm?", ""),
    ("experiment=nope",): ("no experiment called 'nope'", "", "experiment: "),
    ("lstm",): ("cannot read the override 'lstm'", "did you mean model=lstm?", "write key=value"),
    ("sentimnt",): ("cannot read the override", "did you mean task=sentiment?", ""),
    ("model.width=abc",): ("model.width=abc", "", ""),
    ("model.width=0",): ("model.width=0", "greater than 0", ""),
    ("model.width=2.5",): ("model.width=2.5", "", ""),
    ("model.width=true",): ("model.width=True", "", ""),
    ("model.dropout=1.0",): ("model.dropout=1.0", "less than 1", ""),
    ("seed=abc",): ("seed=abc", "", ""),
    ("seed=-1",): ("seed=-1", "at least 0", ""),
    ("trainer.max_steps=null",): ("training needs an end", "try trainer.max_steps=1000", ""),
    ("trainer.clip_norm=.inf",): ("trainer.clip_norm", "", ""),
    ("device.threads=foo",): ("as an integer, or auto", "", ""),
    ("device.threads=0",): ("device.threads=0: should be greater than 0, or auto", "greater than 0", ""),
    ("device.precision=fp23",): ("device.precision=fp23 is not allowed", "fp32", "auto, fp32, bf16, fp16"),
    ("device.compile=maybe",): ("device.compile=maybe is not allowed", "", "never, always"),
    ("optim.schedule=cosin",): (
        "optim.schedule=cosin",
        "did you mean optim.schedule=cosine?",
        "inverse_sqrt",
    ),
    ("optim.betas=[0.9]",): ("optim.betas", "", ""),
    ("optim.betas=0.9",): ("optim.betas=0.9 is not a list", "try 'optim.betas=[0.9,0.9]'", ""),
    ("task=adding", "task.eval_lengths=100"): ("=100 is not a list", "try 'task.eval_lengths=[100]'", ""),
    ("task=adding", "task.eval_lengths=null"): ("=null is not a list", "try 'task.eval_lengths=[]'", ""),
    ("model=transformer", "model.heads=3"): ("must divide model.width=128", "try model.heads=", ""),
    ("model=lstm", "model=gru"): ("model is given 2 times: model=lstm model=gru", "keep one", ""),
    ("seed=1", "++seed=1"): ("seed is given 2 times", "", ""),
    ("model=lstm,gru",): ("gives several values", "seqlab compare lstm gru", "seqlab sweep model=lstm,gru"),
    ("optim.learning_rate=0.1,0.2",): (
        "gives several values",
        "'lstm optim.learning_rate=0.1' 'lstm optim",
        "choose the best on validation: seqlab sweep optim.learning_rate=0.1,0.2",
    ),
    ("model.width=range(64,257,64)",): ("gives several values", "seqlab sweep 'model.width=range(64,257,64)'", ""),
    ("optim.learning_rate=0,001",): ("gives several values", "did you mean optim.learning_rate=0.001?", ""),
    ("optim.learning_rate=1,5e-3",): ("gives several values", "did you mean optim.learning_rate=1.5e-3?", ""),
    ("trainer.clip_value=0,5",): ("gives several values", "did you mean trainer.clip_value=0.5?", ""),
    ("optim.betas=0.9,0.95",): ("gives several values", "did you mean 'optim.betas=[0.9,0.95]'?", ""),
    ("trainer.max_steps=10,000",): ("gives several values", "did you mean trainer.max_steps=10000?", ""),
    ("model.width=128,256",): ("gives several values", "'lstm model.width=128' 'lstm model.width=256'", ""),
    ("optim=sgd", "optim.learning_rate=0,1"): ("gives several values", "did you mean optim.learning_rate=0.1?", ""),
    ("seed=0,1",): ("gives several values", "seqlab compare lstm seed=0 --seeds 2", ""),
    ("optim.nothing=0,1",): ("gives several values", "seqlab compare", ""),
    ("task.validation_corpus=none",): ("would be read as text", "null turns it off: task.validation_corpus=null", ""),
    ("task.test_corpus=false",): ("would be read as text", "null turns it off: task.test_corpus=null", ""),
    ("task=sentiment", "task.test_corpus=Off"): ("would be read as text", "turns it off: task.test_corpus=null", ""),
    ("task.validation_corpus=",): ("would be read as text", "null turns it off: task.validation_corpus=null", ""),
    ("seed=range(3)",): ("gives several values", "", ""),
    ("hydra.run.dir=x",): ("Hydra's own settings", "", ""),
    ("trainer.max_steps=",): ("trainer.max_steps", "", ""),
    ("task.train_share=0.99",): ("task.train_share=0.99", "try 0.8 and 0.1", ""),
    ("seed=${nope}",): ("`${nope}` refers to a setting nope, which does not exist", "", ""),
    ("task.corpus=a/${x}.txt",): ("`${x}` refers to a setting x, which does not exist", "", ""),
    ("seed=${trainer.max_step}",): ("`${trainer.max_step}`", "did you mean ${trainer.max_steps}?", ""),
    ("seed=${seed}",): ("seed=${seed}: Recursive interpolation detected", "", ""),
    ("optim.betas=${a b}",): ("optim.betas=${a b}", "", ""),
    ("model._target_=os.system",): ("outside seqlab", "--config-dir", ""),
    ("model._target_=seqlab.nope.X",): ("cannot be imported", "", ""),
    ("model._target_=seqlab.tasks.char_lm.CharLMConfig",): ("is not a ModelConfig", "", ""),
    ("[",): ("cannot read the override '['", "", ""),
    ("=",): ("cannot read the override '='", "", ""),
}


@pytest.mark.parametrize("overrides", MISTAKES, ids=" ".join)
def test_a_mistake_is_explained_in_three_lines(overrides: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as error:
        load_run_config(list(overrides))
    lines = error.value.lines()
    assert len(lines) <= 3
    assert all("\n" not in line for line in lines)
    for part, line in zip(MISTAKES[overrides], (error.value.what, error.value.hint, error.value.allowed), strict=True):
        assert part in line
    assert "use +" not in "".join(lines)  # Hydra's own advice, which makes things worse
    assert "full_key" not in "".join(lines)  # nor what it says of its own nodes


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("task.corpus=d/a.en", "d/a.fr"), "try task.corpus=d/a.en,d/a.fr"),
        (("task.test_corpus=d/a.fr", "d/a.en", "seed=1"), "try task.test_corpus=d/a.fr,d/a.en"),
        (("task.corpus=d/b", "c.fr"), "try 'task.corpus=d/b c.fr'"),
    ],
)
def test_a_file_after_a_corpus_is_joined_to_it(
    words: tuple[str, ...], meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    for name in ("d/a.en", "d/a.fr", "d/b c.fr"):
        Path(name).touch()
    with pytest.raises(ConfigError, match="is a separate word") as refused:
        load_run_config(["task=translation", *words])
    assert refused.value.hint == meant


def test_a_run_folder_given_as_a_setting_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/b").mkdir(parents=True)
    Path("runs/b/config.yaml").touch()
    with pytest.raises(ConfigError, match="'runs/b' is the folder of a run") as refused:
        load_run_config(["runs/b"])
    assert "evaluate, predict, inspect" in refused.value.hint
    Path("lstm").mkdir()
    Path("lstm/config.yaml").touch()
    for word, part in (("lstm", "did you mean model=lstm?"), ("x" * 300, ""), ("", "")):
        with pytest.raises(ConfigError, match="cannot read the override") as refused:
            load_run_config([word])
        assert part in refused.value.hint


def test_a_file_may_be_called_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none").touch()
    task = load_run_config(["task.validation_corpus=none"]).task
    assert isinstance(task, CharLMConfig)
    assert task.validation_corpus == "none"


@pytest.mark.parametrize("group", [group for group in GROUPS if group != "experiment"])
def test_every_shipped_option_composes(group: str) -> None:
    for option in group_files(group, None):
        assert load_run_config([f"{group}={option}"]).names[group] == option


def test_every_experiment_composes() -> None:
    for option in group_files("experiment", None):
        assert load_run_config([f"experiment={option}"]).names["experiment"] == option


def test_all_of_hydras_grammar_works() -> None:
    config = load_run_config(
        [
            "++trainer.max_steps=7",
            "optim.betas=[0.8,0.9]",
            "task.corpus='a b/c d.txt'",
            "seed=3",
            "~experiment",
        ]
    )
    assert config.trainer.max_steps == 7
    assert (config.seed, config.yaml.count("a b/c d.txt")) == (3, 1)


def test_adding_an_existing_setting_suggests_the_override() -> None:
    with pytest.raises(ConfigError) as error:
        load_run_config(["+trainer.max_steps=7"])
    assert error.value.hint == "try trainer.max_steps=7"


@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_a_stored_config_reads_back_the_same(model: str, task: str, tmp_path: Path) -> None:
    config = tiny_config(model, task)
    path = tmp_path / "config.yaml"
    path.write_text(config.yaml, encoding="utf-8")
    assert read_run_config(path) == config


@pytest.mark.parametrize("place", range(max(len(MODELS), len(TASKS))))
def test_tests_have_the_config_that_a_run_would_have(place: int) -> None:
    """Theirs is composed once, and then has single settings replaced."""
    model, task = MODELS[place % len(MODELS)], TASKS[place % len(TASKS)]
    more = (
        "optim=sgd", "device=cpu", "seed=3", "optim.learning_rate=1e-3", "trainer.clip_norm=null", "init_from=a b/c 1",
        "trainer.max_seconds=1_000", "runs_dir=a (1)/b", "model.tie_embeddings=false",
    )  # fmt: skip
    assert tiny_config(model, task) == load_run_config(tiny_overrides(model, task))
    assert tiny_config(model, task, *more) == load_run_config(tiny_overrides(model, task, *more))


def test_a_stored_config_cannot_import_what_the_user_did_not_name(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "evil.py").write_text(f"open({str(canary)!r}, 'w')\n")
    path = tmp_path / "config.yaml"
    path.write_text(tiny_config("lstm", "char_lm").yaml.replace("seqlab.models.lstm.LSTMConfig", "evil.Config"))
    folder = tmp_path / "configs"
    folder.mkdir()
    for config_dir in (None, folder, tmp_path):  # the last holds the stored config itself
        with pytest.raises(ConfigError, match="outside seqlab"):
            read_run_config(path, config_dir)
    assert not canary.exists()


def test_a_broken_yaml_of_the_user_is_an_error_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("model: [unclosed\n")
    with pytest.raises(ConfigError):
        load_run_config(["model=mine"], tmp_path)
    with pytest.raises(ConfigError, match="is not a folder"):
        load_run_config([], tmp_path / "nowhere")


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=24))
def test_no_word_crashes(word: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(load_run_config([word]), RunConfig)


@pytest.mark.parametrize("task", ["sentiment", "translation"])
def test_a_stored_config_from_before_a_setting_was_there_has_its_default(task: str, tmp_path: Path) -> None:
    config = load_run_config([f"task={task}", "task.batch_size=7", "trainer.max_steps=3"])
    kept = [
        line for line in config.yaml.splitlines() if "batch_tokens" not in line and "save_every_seconds" not in line
    ]
    assert len(kept) == len(config.yaml.splitlines()) - 2
    (tmp_path / "config.yaml").write_text("\n".join(kept), encoding="utf-8")
    assert read_run_config(tmp_path / "config.yaml", None) == config


@pytest.mark.parametrize("name", ["rnn", "my_own"])
def test_a_stored_model_from_before_a_setting_was_there_has_its_default(name: str, tmp_path: Path) -> None:
    """Also where a user's own file fills the class of a shipped one."""
    config = load_run_config(["model=rnn", "model.width=7"])
    kept = [line for line in config.yaml.splitlines() if "recurrent_gain" not in line]
    assert len(kept) == len(config.yaml.splitlines()) - 1
    text = "\n".join(kept).replace("model: rnn", f"model: {name}")
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    stored = read_run_config(tmp_path / "config.yaml", None)
    assert (stored.names["model"], stored.model) == (name, config.model)


def test_a_run_from_before_a_setting_existed_keeps_what_it_had() -> None:
    """Not today's default, where that would change what the run goes on with."""
    stored = Path(__file__).parent.parent / "fixtures" / "format-2" / "config.yaml"
    assert "windows" not in stored.read_text(encoding="utf-8")
    task = read_run_config(stored).task
    assert isinstance(task, CharLMConfig)
    assert task.windows == "streams"
    fresh = load_run_config([]).task
    assert isinstance(fresh, CharLMConfig)
    assert fresh.windows == "auto"


@pytest.mark.parametrize("task", ["sentiment", "translation"])
def test_a_run_from_before_repeats_were_left_out_has_the_data_it_was_trained_on(task: str, tmp_path: Path) -> None:
    config = load_run_config([f"task={task}"])
    kept = [line for line in config.yaml.splitlines() if "deduplicate" not in line and "repeated_sources" not in line]
    assert len(kept) < len(config.yaml.splitlines())
    (tmp_path / "config.yaml").write_text("\n".join(kept), encoding="utf-8")
    stored = asdict(read_run_config(tmp_path / "config.yaml").task)
    assert stored["deduplicate"] is False
    assert stored.get("repeated_sources", "first") == "first"
    assert asdict(config.task)["deduplicate"] is True
