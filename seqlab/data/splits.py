"""Validation and test splits from separate files, and cutting splits from a corpus."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.batch import HELD_OUT, SPLITS, Split
from seqlab.data import hugging_face
from seqlab.data.batching import split_items
from seqlab.errors import DataError

Item = TypeVar("Item")
Part = TypeVar("Part")


@config_dataclass(frozen=True, kw_only=True)
class SplitCorpora:
    """Settings of a task whose validation and test splits may come from separate files.

    corpus: one by its name, or the path of a file. validation_corpus, test_corpus: the same for these splits alone: a
    file is used whole, of a corpus with such a split that split. null: the corpus' own split, or else a share of it.
    The share of the corpus that is replaced is used for training.
    """

    corpus: str
    validation_corpus: str | None
    test_corpus: str | None

    def pinned(self) -> Mapping[str, str]:
        """These settings, with the revision of each dataset of Hugging Face that is given without one."""
        named = {"corpus": self.corpus, **{f"{split}_corpus": where for split, where in self.held_out().items()}}
        exact = {setting: hugging_face.pinned(where) for setting, where in named.items()}
        return {setting: where for setting, where in exact.items() if where != named[setting]}

    def held_out(self) -> dict[Split, str]:
        """The files that the settings name, by split; none for a split that comes from the corpus."""
        named: dict[Split, str | None] = {"validation": self.validation_corpus, "test": self.test_corpus}
        return {split: where for split, where in named.items() if where is not None}

    def read_parts(self, read: Callable[[str, str], Mapping[Split, Part]]) -> tuple[Part, dict[Split, Part]]:
        """(the corpus, or its training split; the validation and test splits that are not to be cut from it).
        `read(where, key)` gives the splits that a corpus or a file has: all of it as `train`, if it has no others."""
        parts = dict(read(self.corpus, "task.corpus"))
        train = parts.pop("train")
        for split, where in self.held_out().items():
            parts[split] = part_of(read(where, f"task.{split}_corpus"), split)
        return train, parts

    def source(self, split: Split) -> str:
        """The setting that a split comes from, for messages."""
        if (where := self.held_out().get(split)) is not None:
            return f"task.{split}_corpus={where}"
        return f"task.corpus={self.corpus}"

    def named_corpora(self) -> dict[str, str]:
        """The files, as facts about the data."""
        return {f"{split} corpus": where for split, where in self.held_out().items()}


def part_of(parts: Mapping[Split, Part], split: Split) -> Part:
    """A split of a corpus, or all of one that has no such split."""
    return parts.get(split, parts["train"])


def check_shares(train_share: float, validation_share: float) -> None:
    """Raise ValueError for shares of a corpus that are more than all of it."""
    if train_share + validation_share > 1 + 1e-9:
        raise ValueError(
            f"task.train_share={train_share} and task.validation_share={validation_share} together "
            "are more than the whole; try 0.8 and 0.1"
        )


def cut_at(length: int, train_share: float, validation_share: float) -> tuple[int, int]:
    """Where validation and test begin in a text of this length."""
    return round(length * train_share), round(length * (train_share + validation_share))


def cut_text(text: str, given: Mapping[Split, str], train_share: float, validation_share: float) -> dict[Split, str]:
    """The training, validation and test part of a text, in order; `given` replaces parts. If the shares leave nothing
    for test, the validation part is also the test split."""
    first, second = train_share, train_share + validation_share
    if "validation" in given:
        first = second
    if "test" in given:
        first, second = first + (1 - second), 1.0
    a, b = round(len(text) * first), round(len(text) * second)
    parts: dict[Split, str] = {"train": text[:a], "validation": text[a:b], "test": text[b:], **given}
    return parts if parts["test"] else {**parts, "test": parts["validation"]}


def cut_items(
    items: Sequence[Item], given: Mapping[Split, object], held_share: float, seed: int
) -> dict[Split, list[Item]]:
    """The same for shuffled items: `held_share` of them for each held-out split that is not given, the rest for
    training."""
    held: list[float] = [0.0 if split in given else held_share for split in HELD_OUT]
    cut = split_items(items, (1 - sum(held), held[0], held[1]), seed)
    # rounding may put an item into a split that is given
    spare = [item for split in HELD_OUT if split in given for item in cut[split]]
    parts: dict[Split, list[Item]] = {split: [] if split in given else cut[split] for split in SPLITS}
    return {**parts, "train": parts["train"] + spare}


def cut_fold(items: Sequence[Item], given: Mapping[Split, object], fold: int, seed: int) -> dict[Split, list[Item]]:
    """The same for 10-fold cross-validation: of ten equal parts of the shuffled items, number `fold` (1 to 10) is the
    test split, and a tenth of the rest is the validation split, unless that is given."""
    order = [*items]
    random.Random(seed).shuffle(order)
    start, end = (round(len(order) * tenths / 10) for tenths in (fold - 1, fold))
    rest = order[:start] + order[end:]
    held = 0 if "validation" in given else round(len(rest) / 10)
    return {"train": rest[held:], "validation": rest[:held], "test": order[start:end]}


def named_parts(given: Mapping[Split, Sequence[str]]) -> Iterator[str]:
    """The given splits as a sequence of texts for a digest: the name of each split, then its texts."""
    for split, texts in given.items():
        yield split
        yield from texts


def check_known_labels(labels: Sequence[str], rows: Sequence[tuple[str, str]], what: str) -> None:
    """Raise DataError, with their counts, if (text, label) rows have labels that are not among `labels`."""
    counts: dict[str, int] = {}
    for _, label in rows:
        if label not in labels:
            counts[label] = counts.get(label, 0) + 1
    if counts:
        shown = ", ".join(f"{label[:40]!r} ({count})" for label, count in list(counts.items())[:8])
        raise DataError(
            f"{what} has {len(counts)} label{'s' * (len(counts) > 1)} not seen in training: {shown}",
            "give these rows a label of the corpus, or remove them",
            f"labels: {', '.join(labels)[:200]}",
        )
