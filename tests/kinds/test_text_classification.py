"""A task from outside this repository: a classifier of its own texts, in a few lines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic.dataclasses import dataclass

from seqlab.core.batch import Split
from seqlab.core.prediction import GenerationConfig
from seqlab.data.labelled_splits import Row
from seqlab.errors import DataError
from seqlab.kinds.text_classification import TextClassification, TextClassificationConfig
from tests.kinds.strangers import trained


@dataclass(frozen=True, kw_only=True)
class ParityConfig(TextClassificationConfig):
    def build(self) -> TextClassification:
        rows = [(f"the number {n} {'plus one ' * (n % 3)}", ("even", "odd")[n % 2]) for n in range(60)]
        splits: dict[Split, list[Row]] = {"train": rows[:40], "validation": rows[40:50], "test": rows[50:]}
        return TextClassification(splits, ("even", "odd"), self)


CONFIG = ParityConfig(
    tokens="word", normalize="none", batch_size=4, batch_tokens=None, bidirectional=True, pooling="max",
    vocabulary_size=100, min_count=1, word_dropout=0.0, max_length=5, metric="accuracy",
)  # fmt: skip


def test_a_task_is_its_rows_and_labels() -> None:
    task = CONFIG.build()
    network = trained(task)
    found = task.predict(network, "THE number 3", GenerationConfig()).details
    assert set(found["probabilities"]) == {"even", "odd"}
    assert sum(found["probabilities"].values()) == pytest.approx(1)
    example = task.example(network, "the number 99 plus one plus one")
    assert (example.tokens, example.truncated) == (("the", "number", "99", "plus", "one"), 2)
    assert task.unknown("the number 99") == ("99",)
    assert "only the first 5 of 7 words" in task.unread("the number 99 plus one plus one")
    facts = task.describe()
    assert (facts["train texts"], facts["labels"], facts["vocabulary"]) == (40, "even 20, odd 20", 48)
    assert facts["words of test not in training"].startswith("10 of ")  # type: ignore[union-attr]
    assert facts["texts cut at 5 words"] == 20
    assert {baseline.name for baseline in task.baselines()} == {"majority", "bag of words"}
    assert len(task.samples(network, seed=0).splitlines()) == 6


def test_its_digest_is_of_its_rows_not_of_how_they_are_read() -> None:
    task = CONFIG.build()
    assert replace(CONFIG, batch_size=7, max_length=3, tokens="char").build().data_sha256 == task.data_sha256
    moved = dict(task.rows)
    moved["validation"], moved["test"] = [*moved["validation"], moved["test"][0]], moved["test"][1:]
    assert TextClassification(moved, task.labels, CONFIG).data_sha256 != task.data_sha256
    relabelled = {**task.rows, "train": [(text, "odd") for text, _ in task.rows["train"]]}
    assert TextClassification(relabelled, task.labels, CONFIG).data_sha256 != task.data_sha256


def test_it_is_restored_from_what_is_stored_and_tested_on_other_rows() -> None:
    task = CONFIG.build()
    stored = {k: list(v) if isinstance(v, tuple) else v for k, v in task.stored_vocabulary().items()}
    again = TextClassification.restored(CONFIG.build).with_stored_vocabulary(CONFIG, stored)
    assert tuple(again.vocabulary()) == tuple(task.vocabulary())
    assert (again.longest(), again.trained_positions("model")) == (5, 5)
    assert again.encoded["test"].ids == task.encoded["test"].ids  # read from the corpus now
    other = again.tested_on([("a new number", "odd")], "--corpus=other.csv")
    assert (other.encoded["test"].labels, other.rows["test"]) == ([1], [("a new number", "odd")])
    with pytest.raises(DataError, match=r"--corpus=other.csv has 1 label not seen in training: 'prime'"):
        again.tested_on([("7", "prime")], "--corpus=other.csv")
