"""A file name reaches seqlab as typed, quoted once for the shell."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seqlab.config.run import load_run_config, read_run_config
from seqlab.config.suggest import means_nothing
from seqlab.config.typed import as_meant

NAMES = [
    "reviews (1).csv", "données.csv", "~/my.txt", "a,b.csv", "1984", "007", "1e5", "true", "a.en,b.fr", "k=v.csv",
    "it's.txt", 'a "b".txt', "[a].txt", "{a: b}", "a:b", "two  spaces ", "C:\\data\\", "back\\'slash", "#1.txt", "100%",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_arrives_as_it_is_typed(name: str) -> None:
    config = load_run_config(["model=gru", f"task.corpus={name}", f"init_from={name}"])
    assert config.task.corpus == config.init_from == name  # type: ignore[attr-defined]


@settings(max_examples=25, deadline=None)
@given(name=st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=12))
def test_any_name_arrives_and_is_kept(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    assume(
        name not in ("null", "???")
        and not means_nothing(name)  # null is the word for it, unless there is such a file
        and "${" not in name
        and (len(name) < 2 or name[0] not in "'\"" or name[0] != name[-1])
    )
    config = load_run_config(["task=translation", f"task.validation_corpus={name}"])
    assert config.task.validation_corpus == name  # type: ignore[attr-defined]
    path = tmp_path_factory.mktemp("stored") / "config.yaml"
    path.write_text(config.yaml, encoding="utf-8")
    assert read_run_config(path).task.validation_corpus == name  # type: ignore[attr-defined]
    assert read_run_config(path, None, [f"task.test_corpus={name}"]).task.test_corpus == name  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["${x}.csv", "a/${oc.env:HOME}", "it's ${x} \\", "'q'", '"q"'])
def test_a_file_whose_name_looks_like_grammar_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).touch()
    config = load_run_config(["task=translation", f"task.corpus={name}"])
    assert config.task.corpus == name  # type: ignore[attr-defined]
    Path("config.yaml").write_text(config.yaml, encoding="utf-8")
    assert read_run_config(Path("config.yaml")).task.corpus == name  # type: ignore[attr-defined]
    stored = read_run_config(Path("config.yaml"), None, [f"task.test_corpus={name}"])
    assert stored.task.test_corpus == name  # type: ignore[attr-defined]


def test_columns_by_number_are_words_of_their_own() -> None:
    config = load_run_config(["task=sentiment", "task.text_column=1", "task.separator=;", "task.batch_size=7"])
    assert (config.task.text_column, config.task.separator) == ("1", ";")  # type: ignore[attr-defined]
    assert config.task.batch_size == 7  # type: ignore[attr-defined]


def test_quotes_references_and_null_are_left_to_the_grammar() -> None:
    left = ['task.corpus="a.en,a.fr"', "task.corpus=${oc.env:HOME}/a", "init_from=null", "task.corpus=plain/a-b.txt"]
    assert as_meant(left, lambda: {"task": "seqlab.tasks.char_lm.CharLMConfig"}, Path()) == left
