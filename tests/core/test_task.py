"""A task of four methods: the defaults of the rest of the interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from seqlab.core.baseline import BaselineSource, ChanceLevel, baselines_of
from seqlab.core.batch import Split
from seqlab.core.example import context_source, example_reader, example_source
from seqlab.core.meter import Meter
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.core.offers import offers
from seqlab.core.prediction import predictor
from seqlab.core.task import Task
from seqlab.data.batches import TargetBatch
from seqlab.errors import ConfigError
from tests.conftest import CORPUS_TASKS, TASKS, tiny_config, tiny_task


class Plain(Task[TargetBatch]):
    """Three rows in each split, of other lengths."""

    def __init__(self, last: int = 3) -> None:
        self.last = last

    def batches(self, split: Split, seed: int) -> Iterator[TargetBatch]:
        for length in (4, 5 if split == "validation" else 2):
            target_BT = torch.full((3, length), 7)
            target_BT[2, -1] = self.last if split == "test" else 0
            yield TargetBatch(target_BT=target_BT, items_B=torch.arange(3))

    def build_network(self, model: ModelConfig) -> Network[TargetBatch]:
        raise NotImplementedError

    def meter(self, split: Split) -> Meter[TargetBatch]:
        raise NotImplementedError

    def describe(self) -> Mapping[str, int | str]:
        return {}


def test_the_rest_comes_from_the_batches() -> None:
    task = Plain()
    assert task.longest() == 5
    assert task.trained_positions("decoder") == 5
    assert list(task.vocabulary()) == []
    assert len(task.data_sha256) == len(task.heldout_sha256()) == 64
    assert task.data_sha256 == Plain().data_sha256 != Plain(last=4).data_sha256
    assert task.heldout_sha256() == Plain().heldout_sha256() != Plain(last=4).heldout_sha256()
    first = next(task.batches("train", 0))
    assert (first.target_count, first.positions) == (11, 11)  # padding is no target
    assert replace(first, target_count=2).target_count == 2
    with pytest.raises(ConfigError, match="cannot be cut along time"):
        task.check_windows(2, None)  # type: ignore[arg-type]


def test_errors_about_a_missing_ability_name_the_task() -> None:
    task = Plain()
    for ask in (predictor, example_reader, example_source, context_source):
        with pytest.raises(ConfigError, match=r"^Plain "):
            ask(task)
    assert not offers(task, ChanceLevel)
    assert list(baselines_of(task)) == []


@pytest.mark.parametrize("name", TASKS)
def test_a_vocabulary_begins_with_the_rows_of_the_embeddings(name: str) -> None:
    task: Task[Any] = tiny_task(tiny_config("gru", name))
    rows = [token for tokens in task.embedding_tokens().values() for token in tokens]
    assert list(task.vocabulary())[: len(rows)] == rows


@pytest.mark.parametrize("name", CORPUS_TASKS)
def test_a_corpus_has_baselines(name: str) -> None:
    task: Task[Any] = tiny_task(tiny_config("gru", name))
    assert offers(task, BaselineSource)
    assert len(list(baselines_of(task))) >= 2
