"""A run keeps its tokenizer: it resumes bit for bit, works without its corpus, and others can read the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer

import seqlab
from seqlab.config.run import load_run_config, read_run_config
from seqlab.core.batch import Split
from seqlab.errors import CheckpointError, ConfigError, DataError
from seqlab.runs.resume import resume
from seqlab.runs.run import open_run
from seqlab.runs.train import train
from seqlab.tasks.char_lm import CharLM
from tests.conftest import on_corpus, tiny_overrides

SIZE = "task.vocabulary_size=300"


def _overrides(task: str, corpus: Path, folder: Path, *others: str) -> list[str]:
    return tiny_overrides("gru", task, *on_corpus(task, corpus), "device=cpu", f"runs_dir={folder}", *others)


def test_a_language_model_of_subwords_is_resumed_restored_and_read_by_others(
    tmp_path: Path, table: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus = table("corpus.tsv")
    overrides = _overrides("char_lm", corpus, tmp_path, "task.tokens=bpe", SIZE, "optim.horizon_steps=4")
    whole = train(load_run_config(overrides), name="whole")
    shorter = [override.replace("trainer.max_steps=4", "trainer.max_steps=2") for override in overrides]
    begun = train(load_run_config(shorter), name="begun")
    # another tokenizer than the run's own would have other ids, and another loss
    resume(begun.folder, ["trainer.max_steps=4"])
    assert seqlab.load(begun.folder).result.test == seqlab.load(whole.folder).result.test

    run = open_run(whole.folder)
    task = run.config.task.build()
    assert isinstance(task, CharLM)
    library = Tokenizer.from_file(str(whole.folder / "tokenizer.json"))
    for split, text in task.texts.items():
        assert task.ids[split].tolist() == library.encode(text).ids
    assert list(run.result.test if run.result else ()) == ["bits_per_character", "bits_per_byte", "loss", "perplexity"]
    seen = task.texts["train"]
    changed: dict[Split, str] = {"validation": task.texts["validation"] * 2, "test": "Ünseen! " * 40}
    assert CharLM(seen, task.config, changed).token_vocabulary == task.token_vocabulary

    written = seqlab.load(whole.folder).predict("so fine").text
    corpus.unlink()
    assert seqlab.load(whole.folder).predict("so fine").text == written
    stored = whole.folder / "tokenizer.json"
    stored.write_text(stored.read_text(encoding="utf-8").replace("Ġ", "Ģ", 1), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is not the file that was stored"):
        _ = open_run(whole.folder).task


def test_translations_have_two_tokenizers_or_one_and_take_those_of_a_run(
    tmp_path: Path, table: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus = table("corpus.tsv")
    folder = tmp_path / "a,b"  # two files are joined by a comma too
    run = train(load_run_config(_overrides("translation", corpus, folder, "task.tokens=bpe", SIZE)), name="a").folder
    files = [run / "tokenizer_source.json", run / "tokenizer_target.json"]
    again = _overrides("translation", corpus, tmp_path, f"task.tokens={files[0]},{files[1]}")
    one, two = (load_run_config(o).task.build() for o in (again, [o for o in again if "tokens" not in o] + [
        "task.tokens=unigram", "task.joint_vocabulary=true", SIZE]))  # fmt: skip
    assert list(one.vocabulary()) == list(open_run(run).task.vocabulary())
    assert list(open_run(run).config.task.build().vocabulary()) == list(one.vocabulary())
    with pytest.raises(ConfigError, match="is one vocabulary, and task"):
        load_run_config([*again, "task.joint_vocabulary=true"]).task.build()
    with pytest.raises(DataError, match=r"=b\.json,c\.json: there is no such file"):
        load_run_config([*again[:-1], f"task.tokens={files[0]},b.json,c.json"]).task.build()
    tokens = [*two.vocabulary()]
    assert tokens[: len(tokens) // 2] == tokens[len(tokens) // 2 :]
    corpus.unlink()
    assert seqlab.load(run).predict("a fine film").text is not None


def test_sentiment_reads_subwords_in_lower_case(table: Callable[..., Path]) -> None:
    corpus = table("corpus.tsv")
    task = load_run_config(
        tiny_overrides("gru", "sentiment", *on_corpus("sentiment", corpus), "task.tokens=bpe", SIZE)
    ).task
    found = task.build()
    assert dict(found.unknown_in("test")) == {"tokens": (0, found.unknown_in("test")["tokens"][1])}
    assert found.unknown("ÆØÅ 漢字") == ()
    for size in ("100", "259"):
        with pytest.raises(ConfigError, match="is too small for task"):
            load_run_config(["task=sentiment", "task.tokens=bpe", f"task.vocabulary_size={size}"])
    with pytest.raises(ConfigError, match="did you mean bpe"):
        load_run_config(["task=sentiment", "task.tokens=bbpe"])
    with pytest.raises(DataError, match="no such file"):
        load_run_config(["task=sentiment", f"task.corpus={corpus}", "task.tokens=my/tokenizer.json"]).task.build()


def test_the_earlier_name_of_the_setting_is_understood(tmp_path: Path) -> None:
    config = load_run_config(["task=translation", "task.tokens=word"])
    stored = tmp_path / "config.yaml"
    old = config.yaml.replace("tokens: word", "unit: word").replace("  joint_vocabulary: false\n", "")
    assert old.count("unit: word") == 1
    stored.write_text(old, encoding="utf-8")
    assert json.dumps(read_run_config(stored).tree, sort_keys=True) == json.dumps(config.tree, sort_keys=True)
