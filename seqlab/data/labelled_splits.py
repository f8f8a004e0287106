"""Splitting labelled texts, stratified by label, with notes about the data."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from seqlab.core.batch import HELD_OUT, SPLITS, Split
from seqlab.data.files import sha256_of
from seqlab.data.labels import check_labels, label_counts, label_warnings
from seqlab.data.repeats import Repeats, in_both
from seqlab.data.splits import check_known_labels, cut_fold, cut_items, named_parts
from seqlab.data.words import same_text_key
from seqlab.errors import DataError

Row = tuple[str, str]
"""A text and its label."""


@dataclass(frozen=True)
class LabelledSplits:
    """The rows of each split. counts: rows of the corpus by label. contradictory: texts with several labels."""

    parts: dict[Split, list[Row]]
    counts: Mapping[str, int]
    repeats: Repeats
    contradictory: int

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of their ids."""
        return tuple(sorted(self.counts))

    def describe(self) -> dict[str, int | str]:
        """Facts about repeated and contradictory texts, for Task.describe."""
        several = {"texts with more than one label": self.contradictory} if self.contradictory else {}
        return {**self.repeats.describe(), **several}

    def described_labels(self) -> str:
        """Each label with its number of rows, for Task.describe."""
        return label_counts(self.counts)

    def warnings(self) -> Iterator[str]:
        """Warnings about the labels and repeated texts."""
        yield from label_warnings(self.counts)
        yield from self.repeats.warnings()
        if self.contradictory:
            yield f"{self.contradictory:,} texts occur with more than one label: no model can get all of them right"


def labelled_sha256(items: list[Row], given: Mapping[Split, list[Row]]) -> str:
    """Digest of the rows of a corpus, and of those of splits that have a corpus of their own."""
    return sha256_of(
        [*chain.from_iterable(items), *named_parts({s: [*chain.from_iterable(r)] for s, r in given.items()})]
    )


def split_labelled(
    rows: list[Row],
    given: Mapping[Split, list[Row]],
    *,
    held_share: float,
    seed: int,
    fold: int | None,
    deduplicate: bool,
    corpus: str,
    label_column: str,
    source: Callable[[Split], str],
) -> LabelledSplits:
    """The splits of a corpus, stratified by label; `given` are validation and test rows that are not to be cut
    from it, which are used unchanged. fold: the tenth, from 1, that is the test split in 10-fold cross-validation;
    None: `held_share` for each. With `deduplicate`, training texts that also occur in validation or test are dropped.
    corpus, label_column: as the settings name them, source: the setting of a split, for messages. Raises DataError if
    there are too few labels or rows."""
    counts = Counter(label for _, label in rows)
    check_labels(counts, corpus, label_column)
    for split, part in given.items():
        check_known_labels(sorted(counts), part, source(split))
    by_label: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_label[row[1]].append(row)
    parts: dict[Split, list[Row]] = {split: [] for split in SPLITS}
    for label in sorted(counts):
        items = by_label[label]
        shares = cut_items(items, given, held_share, seed) if fold is None else cut_fold(items, given, fold, seed)
        for split, part in parts.items():
            part += shares[split]
    parts |= given
    for split, part in parts.items():
        if not part:
            raise DataError(
                f"task.corpus={corpus}: {len(rows)} rows leave none for the {split} split",
                "give at least ten rows of each label",
            )
    parts["train"], repeats = _without_repeats(parts, deduplicate, corpus)
    labels_of: dict[str, set[str]] = defaultdict(set)
    for text, label in chain(rows, *given.values()):
        labels_of[same_text_key(text)].add(label)
    return LabelledSplits(parts, counts, repeats, sum(len(labels) > 1 for labels in labels_of.values()))


def _without_repeats(parts: Mapping[Split, list[Row]], deduplicate: bool, corpus: str) -> tuple[list[Row], Repeats]:
    """(the training rows to keep, the counts of repeated rows). Raises DataError if no row is left."""
    validation, test = ([text for text, _ in parts[split]] for split in HELD_OUT)
    held = {same_text_key(text) for text in (*validation, *test)}
    repeated = [same_text_key(text) in held for text, _ in parts["train"]]
    count, of, between = sum(repeated), len(repeated), (in_both(validation, test), len(test))
    if not deduplicate:
        return parts["train"], Repeats("texts", 0, count, of, *between)
    if count == of:
        raise DataError(
            f"task.corpus={corpus}: all {of:,} training texts also occur in validation or test",
            "give each text once, or keep them with task.deduplicate=false",
        )
    kept = [row for row, again in zip(parts["train"], repeated, strict=True) if not again]
    return kept, Repeats("texts", count, 0, of, *between)
