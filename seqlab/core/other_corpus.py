"""Evaluation on a corpus other than the run's own."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from seqlab.core.batch import BatchT
from seqlab.core.offers import require
from seqlab.core.task import Task, TaskConfig


@runtime_checkable
class OtherCorpora(Protocol[BatchT]):
    """A task whose networks can be evaluated on other corpora too."""

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Task[BatchT]:
        """The task with the same vocabulary and labels, whose test split is another corpus: its own test split, or all
        of one that has none. `where` names it as task.corpus would; `key` is the setting or option that did, for
        messages. config: the task's own, except for its `reading_settings`. Other splits are unavailable. Raises
        DataError for another format."""


def with_test_corpus(task: Task[Any], where: str, key: str, config: TaskConfig) -> Task[Any]:
    """The task with another corpus as its test split. Raises ConfigError if the task does not support this, and what
    its method raises."""
    lacks, remedy = "can be evaluated on its own corpus only", "a task allows others by its method with_test_corpus"
    other: OtherCorpora[Any] = require(task, OtherCorpora, lacks, remedy, about=f"{key}={where}: ")
    return other.with_test_corpus(where, key, config)
