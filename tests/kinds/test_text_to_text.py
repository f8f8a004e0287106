"""A task from outside this repository: its own pairs of texts, in a few lines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic.dataclasses import dataclass

from seqlab.core.batch import Split
from seqlab.core.prediction import GenerationConfig
from seqlab.data.pair_splits import Pair
from seqlab.errors import DataError
from seqlab.kinds.text_to_text import TextToTextConfig, TextToTextGeneration
from tests.kinds.strangers import trained


@dataclass(frozen=True, kw_only=True)
class BackwardsConfig(TextToTextConfig):
    def build(self) -> Backwards:
        pairs = [(text, text[::-1]) for text in (f"{n:03d}" + "ab" * (n % 3) for n in range(60))]
        splits: dict[Split, list[Pair]] = {"train": pairs[:40], "validation": pairs[40:50], "test": [("9x", "x9")]}
        return Backwards(splits, self)


class Backwards(TextToTextGeneration):
    target_name = "backwards"


CONFIG = BackwardsConfig(
    tokens="char", joint_vocabulary=False, normalize="none", vocabulary_size=100, max_length=7, batch_size=4,
    batch_tokens=None, eval_batch_size=4, label_smoothing=0.0, metric="exact_match", bleu_tokenizer="char",
)  # fmt: skip


def test_a_task_is_its_pairs() -> None:
    task = CONFIG.build()
    network = trained(task)
    found = task.predict(network, "012", GenerationConfig())
    assert found.details == {"backwards": found.text}
    assert set(found.text) <= set("0123456789ab⁇")
    example = task.example(network, "01234567")
    assert (example.tokens, example.truncated) == (tuple("012345"), 2)
    assert task.unknown("9xy") == ("x", "y")
    assert "only the first 6 of 7 characters" in task.unread("0123456")
    facts = task.describe()
    assert (facts["train pairs"], facts["training pairs left out at 7 characters"]) == (27, 13)
    assert facts["source characters of test not in training"] == "1 of 2 (50.0%)"
    assert facts["BLEU tokenizer"] == "char"
    assert next(iter(task.warnings())).startswith("1 of 2 (50.0%) of the source characters of test")
    assert {baseline.name for baseline in task.baselines()} == {"copy", "nearest"}
    with pytest.raises(DataError, match="max_length=2 leaves out every training pair"):
        replace(CONFIG, max_length=2).build()


def test_it_is_restored_from_what_is_stored_and_tested_on_other_pairs() -> None:
    task = CONFIG.build()
    stored = {k: list(v) if isinstance(v, tuple) else v for k, v in task.stored_vocabulary().items()}
    again = Backwards.restored(CONFIG.build).with_stored_vocabulary(CONFIG, stored)
    assert tuple(again.vocabulary()) == tuple(task.vocabulary())
    assert (again.longest(), again.trained_positions("encoder"), again.trained_positions("decoder")) == (7, 5, 6)
    assert again.encoded["test"].ids == task.encoded["test"].ids  # read from the corpus now
    other = again.tested_on([("12", "21")])
    assert other.pairs == {"test": [("12", "21")]}
    assert other.meter("test").targets == ("21",)
    assert other.data_sha256 != task.data_sha256
