"""A task from outside this repository: a language model over the words of its own corpus, in a few lines."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pydantic.dataclasses import dataclass

from seqlab.core.batch import Split
from seqlab.core.example import Example
from seqlab.core.prediction import GenerationConfig
from seqlab.data.vocabulary import UNKNOWN
from seqlab.errors import DataError
from seqlab.kinds.language_modelling import LanguageModelling, LanguageModellingConfig
from tests.kinds.strangers import trained

LINE = "one fish two fish red fish blue fish\n"


@dataclass(frozen=True, kw_only=True)
class FishConfig(LanguageModellingConfig):
    lines: int

    def build(self) -> Fish:
        texts: dict[Split, str] = {"train": LINE * self.lines, "validation": LINE * 5, "test": "old " + LINE * 4}
        return Fish(texts, self)


class Fish(LanguageModelling):
    unit = "word"


CONFIG = FishConfig(
    normalize="none", batch_size=2, window=6, eval_batch_size=2, sample_length=4, sample_temperature=1.0, lines=20
)


def test_a_task_is_its_texts() -> None:
    task = CONFIG.build()
    network = trained(task)
    text = task.predict(network, "red fish", GenerationConfig(length=5)).text
    assert text[0] == " "
    assert set(text.split()) <= {"one", "fish", "two", "red", "blue", "⁇"}
    assert len(text.split(" ")) == 1 + 5
    example = task.example(network, "blue whale\r\n")
    assert isinstance(example, Example)
    assert example.tokens == ("blue", "whale")
    assert example.batch.inputs_BT[0, 1] == UNKNOWN
    assert task.unknown("old blue fish") == ("old",)
    assert task.unknown_in("test") == {"words": (1, 33)}
    sizes = {"train words": 160, "validation words": 40, "test words": 33}
    assert task.describe() == {**sizes, "vocabulary": 9, "words of test not in training": 1}
    assert task.meter("test").primary == "bits_per_word"
    assert not task.test_is_validation
    with pytest.raises(DataError, match="nothing to look at"):
        task.example(network, " \n")


def test_its_digest_is_of_its_texts_not_of_how_they_are_read() -> None:
    task = CONFIG.build()
    assert replace(CONFIG, batch_size=3, window=5, eval_batch_size=1).build().data_sha256 == task.data_sha256
    assert replace(CONFIG, lines=21).build().data_sha256 != task.data_sha256
    assert Fish({**task.texts, "test": LINE * 5}, CONFIG).data_sha256 != task.data_sha256


def test_the_bits_of_a_baseline_are_converted_to_bits_per_word() -> None:
    task = CONFIG.build()
    found = {baseline.name: baseline.metrics["bits_per_word"].value for baseline in task.baselines()}
    per_character = 8 * len(task.texts["test"]) / 33
    assert 0 < found["xz"] < per_character


def test_a_split_that_is_too_short_is_named() -> None:
    with pytest.raises(DataError, match=r"the validation split of 40 words is too short for .*=39") as raised:
        replace(CONFIG, window=39).build()
    assert "task.window=20" in raised.value.hint


def test_it_is_restored_from_what_is_stored() -> None:
    task = CONFIG.build()
    stored = {name: list(tokens) for name, tokens in task.stored_vocabulary().items()}
    again = Fish.restored(CONFIG.build).with_stored_vocabulary(CONFIG, stored)
    assert again.token_vocabulary == task.token_vocabulary
    assert torch.equal(again.ids["test"][:], task.ids["test"][:])  # read from the corpus now
    other = again.tested_on("red fish " * 9, "--corpus=other.txt")
    assert set(other.ids) == {"test"}
    assert other.unknown_in("test") == {"words": (0, 18)}
