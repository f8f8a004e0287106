"""Splits that have files of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.batch import Split
from seqlab.data.batching import split_items
from seqlab.errors import DataError

Item = TypeVar("Item")
Part = TypeVar("Part")
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@config_dataclass(frozen=True, kw_only=True)
class SplitCorpora:
    """Settings of a task whose validation and test splits may come from files of their own.

    validation_corpus, test_corpus: of the form that corpus has, and taken whole; null: a share of the corpus. What a
    file replaces is not cut off the corpus: that share is trained on.
    """

    validation_corpus: str | None
    test_corpus: str | None

    def held_out(self) -> dict[Split, str]:
        """What the settings name, by split; nothing for a split that is cut from the corpus."""
        named: dict[Split, str | None] = {"validation": self.validation_corpus, "test": self.test_corpus}
        return {split: where for split, where in named.items() if where is not None}

    def read_held_out(self, read: Callable[[str, str], Part]) -> dict[Split, Part]:
        """Each of these files as `read` gives it, which takes what names it and its key."""
        return {split: read(where, f"task.{split}_corpus") for split, where in self.held_out().items()}

    def named_corpora(self) -> dict[str, str]:
        """The same for Task.describe."""
        return {f"{split} corpus": where for split, where in self.held_out().items()}


def cut_text(text: str, given: Mapping[Split, str], train_share: float, validation_share: float) -> dict[Split, str]:
    """Training, validation and test part of a text, in order, with what is given in place of a part. Without a test
    part (shares that make up the whole) the validation part is the test split too."""
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
    """The same of items in random order: `held_share` of them for each split that is not given, the rest to train."""
    held: list[float] = [0.0 if split in given else held_share for split in SPLITS[1:]]
    cut = split_items(items, (1 - sum(held), held[0], held[1]), seed)
    # rounding may leave one where nothing was to be
    spare = [item for split in SPLITS[1:] if split in given for item in cut[split]]
    parts: dict[Split, list[Item]] = {split: [] if split in given else cut[split] for split in SPLITS}
    return {**parts, "train": parts["train"] + spare}


def named_parts(given: Mapping[Split, Sequence[str]]) -> Iterator[str]:
    """What is given as texts for a digest, each split after its name."""
    for split, texts in given.items():
        yield split
        yield from texts


def check_known_labels(labels: Sequence[str], rows: Sequence[tuple[str, str]], what: str) -> None:
    """Raise DataError, with their counts, for labels of (text, label) rows that are not among these."""
    counts: dict[str, int] = {}
    for _, label in rows:
        if label not in labels:
            counts[label] = counts.get(label, 0) + 1
    if counts:
        shown = ", ".join(f"{label[:40]!r} ({count})" for label, count in list(counts.items())[:8])
        raise DataError(
            f"{what} has {len(counts)} label{'s' * (len(counts) > 1)} that training does not know: {shown}",
            "give these rows a label of the corpus, or leave them out",
            f"labels: {', '.join(labels)[:200]}",
        )
