"""Validation and test splits from separate files, for every task that has such settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqlab.config.compose import settings as settings_of
from seqlab.data.splits import cut_items, cut_text
from seqlab.errors import DataError
from tests.conftest import CORPUS_TASKS, TASKS, has_setting, tiny_config


@pytest.fixture
def build(table: Callable[..., Path]) -> Callable[..., Any]:
    """The tiny version of a task on a table of 120 rows, with files of their own for some splits."""

    def built(task: str, **corpora: Path) -> Any:
        named = [f"task.{split}_corpus={path}" for split, path in corpora.items()]
        there = settings_of([f"task={task}"])
        shares = [f"{key}={there[key]}" for key in ("task.train_share", "task.validation_share") if key in there]
        return tiny_config("gru", task, f"task.corpus={table('corpus.tsv')}", *named, *shares).task.build()

    return built


def _held(task: Any, split: str) -> int:
    return sum(batch.target_count for batch in task.batches(split, 0))


def test_a_task_has_all_three_or_splits_its_corpus_itself() -> None:
    """A series is split in time."""
    for key in ("task.corpus", "task.validation_corpus"):
        assert all(has_setting(key, task=task) for task in CORPUS_TASKS)
    assert not any(has_setting("task.validation_corpus", task=task) for task in set(TASKS) - set(CORPUS_TASKS))


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_a_file_is_the_whole_split_and_the_corpus_gives_it_nothing(
    task: str, build: Callable[..., Any], table: Callable[..., Path]
) -> None:
    plain = build(task)
    own = table("own.tsv", rows=40, start=500)
    for given in (("validation",), ("test",), ("validation", "test")):
        built = build(task, **dict.fromkeys(given, own))
        for split in ("validation", "test"):
            if split not in given:
                assert abs(_held(built, split) - _held(plain, split)) <= 2  # targets of a pair
        assert len({_held(built, split) for split in given}) == 1
        assert all(_held(built, split) != _held(plain, split) for split in given)
        assert _held(built, "train") > _held(plain, "train")
        assert built.describe()[f"{given[0]} corpus"] == str(own)


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_the_digest_covers_them(task: str, build: Callable[..., Any], table: Callable[..., Path]) -> None:
    own, other = table("own.tsv", rows=40, start=500), table("other.tsv", rows=40, start=700)
    digests = {
        build(task).data_sha256,
        build(task, test=own).data_sha256,
        build(task, test=other).data_sha256,
        build(task, validation=own).data_sha256,
    }
    assert len(digests) == 4


@pytest.mark.parametrize("task", CORPUS_TASKS)
def test_what_is_wrong_with_one_names_its_setting(task: str, build: Callable[..., Any], tmp_path: Path) -> None:
    short = tmp_path / "short.tsv"
    short.write_text("x", encoding="utf-8")
    for path in (tmp_path / "missing.tsv", short):
        with pytest.raises(DataError, match=f"task.test_corpus={path}"):
            build(task, test=path)


def test_unknown_labels_are_counted(build: Callable[..., Any], table: Callable[..., Path]) -> None:
    own = table("own.tsv", rows=40, start=500)
    own.write_text(own.read_text() + "so so\tmixed\nwell\tmixed\noh\tGOOD\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"has 2 labels not seen in training: 'mixed' \(2\), 'GOOD' \(1\)"):
        build("sentiment", validation=own)


def test_cut_text() -> None:
    text = "".join(map(chr, range(100, 200)))
    parts = cut_text(text, {}, 0.8, 0.1)
    assert [len(part) for part in parts.values()] == [80, 10, 10]
    assert "".join(parts.values()) == text
    parts = cut_text(text, {}, 0.9, 0.1)
    assert parts["test"] == parts["validation"] == text[90:]
    parts = cut_text(text, {"test": "own"}, 0.8, 0.1)
    assert (parts["train"] + parts["validation"], len(parts["validation"]), parts["test"]) == (text, 10, "own")
    parts = cut_text(text, {"validation": "own"}, 0.8, 0.1)
    assert (parts["train"] + parts["test"], len(parts["test"]), parts["validation"]) == (text, 10, "own")
    assert cut_text(text, {"validation": "v", "test": "t"}, 0.8, 0.1)["train"] == text
    parts = cut_text(text, {"test": "own"}, 0.9, 0.1)
    assert (len(parts["train"]), len(parts["validation"]), parts["test"]) == (90, 10, "own")


@pytest.mark.parametrize("count", range(1, 40))
def test_no_item_is_lost(count: int) -> None:
    for given in ({}, {"test": ()}, {"validation": ()}, {"validation": (), "test": ()}):
        parts = cut_items(range(count), given, 0.1, seed=3)  # type: ignore[arg-type]
        assert sorted(item for part in parts.values() for item in part) == list(range(count))
        assert not any(parts[split] for split in given)  # type: ignore[index]
