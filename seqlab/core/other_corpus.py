"""What a network is worth on another corpus than its own."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from seqlab.core.batch import BatchT
from seqlab.core.offers import require
from seqlab.core.task import Task, TaskConfig


@runtime_checkable
class OtherCorpora(Protocol[BatchT]):
    """A task whose networks can be judged on other corpora too."""

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Task[BatchT]:
        """The same task, vocabulary and labels, whose test split is the whole of another corpus: `where` names it as
        task.corpus would, and `key` is the setting or option that did, for messages. config: the task's own, but for
        its `reading_settings`. Its other splits cannot be asked for. Raises DataError for a corpus of another form."""


def with_test_corpus(task: Task[Any], where: str, key: str, config: TaskConfig) -> Task[Any]:
    """The task with another corpus in place of its test split. Raises ConfigError for one that has no such thing, and
    as the task does."""
    lacks, remedy = "is judged on its own corpus alone", "a task offers others by its method with_test_corpus"
    other: OtherCorpora[Any] = require(task, OtherCorpora, lacks, remedy, about=f"{key}={where}: ")
    return other.with_test_corpus(where, key, config)
