"""Splitting sentence pairs so that no training source occurs in another split, with notes about the data."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from seqlab.core.batch import HELD_OUT, Split
from seqlab.data.pairs import ReadPairs
from seqlab.data.repeats import Repeats, in_both
from seqlab.data.splits import cut_items
from seqlab.data.words import same_text_key
from seqlab.errors import DataError

Pair = tuple[str, str]
_log = logging.getLogger("seqlab")


@dataclass(frozen=True)
class PairSplits:
    """The pairs of each split, with counts of dropped and repeated pairs (facts) and warnings about them."""

    parts: dict[Split, list[Pair]]
    facts: dict[str, str]
    warnings: tuple[str, ...]


def with_both_sides(pairs: Sequence[Pair], name: str) -> tuple[list[Pair], str]:
    """(the pairs with a source and a translation, a warning about the others, or "" if there are none)."""
    missing = [number for number, pair in enumerate(pairs, 1) if not all(pair)]
    warning = (
        f"{len(missing):,} of the {len(pairs):,} pairs of {name} have no source or no translation (the first in line "
        f"{missing[0]}) and are dropped: no figure counts them"
        if missing
        else ""
    )
    return [pair for pair in pairs if all(pair)], warning


def split_pairs(
    pairs: list[Pair],
    given: Mapping[Split, list[Pair]],
    *,
    held_share: float,
    seed: int,
    all_translations: bool,
    deduplicate: bool,
) -> PairSplits:
    """The splits of a corpus; `given` are the pairs of validation and test files, which are used unchanged.

    Pairs without a source or a translation are dropped everywhere. A source of the corpus belongs to one split: in
    training with all of its translations (or the first), in the others with its first. Sources of validation and test
    are dropped from training; with `deduplicate`, also if they differ in case, white space or Unicode composition only.
    """
    facts: dict[str, str] = {}
    warnings: list[str] = []
    whole: dict[str, list[Pair]] = {"corpus": pairs, **{f"{split}_corpus": part for split, part in given.items()}}
    complete: dict[str, list[Pair]] = {}
    for name, part in whole.items():
        complete[name], warning = with_both_sides(part, f"task.{name}")
        if warning:
            missing = len(part) - len(complete[name])
            facts[f"incomplete pairs of task.{name}, dropped"] = f"{missing:,} of {len(part):,}"
            warnings.append(warning)
    held_out = {split: complete[f"{split}_corpus"] for split in given}

    # in the order of each source's last pair, on which the splits of stored runs depend
    translations: dict[str, dict[str, None]] = {source: {} for source in [*dict(reversed(complete["corpus"]))][::-1]}
    for source, target in complete["corpus"]:
        translations[source][target] = None
    several = [found for found in translations.values() if len(found) > 1]
    if several:
        more = f"{sum(map(len, several)) - len(several):,}"
        use = f"{more} more pairs for training" if all_translations else f"{more} pairs dropped"
        facts["sources with several translations"] = f"{len(several):,} ({use})"
    if again := len(complete["corpus"]) - sum(map(len, translations.values())):
        facts["repeated pairs, used once"] = f"{again:,}"

    def key(source: str) -> str:
        return same_text_key(source) if deduplicate else source

    held = {key(source) for part in held_out.values() for source, _ in part}
    rest = [(source, next(iter(found))) for source, found in translations.items() if key(source) not in held]
    parts: dict[Split, list[Pair]] = cut_items(rest, held_out, held_share, seed) | held_out
    held |= {key(source) for split in HELD_OUT for source, _ in parts[split]}
    train = [source for source, _ in parts["train"] if key(source) not in held]
    alike = set() if deduplicate else {same_text_key(source) for split in HELD_OUT for source, _ in parts[split]}
    left_out = len(translations) - len(rest) + len(parts["train"]) - len(train)
    kept = sum(same_text_key(source) in alike for source in train)
    validation, test = ([source for source, _ in parts[split]] for split in HELD_OUT)
    repeats = Repeats("sources", left_out, kept, len(train) + left_out, in_both(validation, test), len(test))
    parts["train"] = [(s, t) for s in train for t in (translations[s] if all_translations else [*translations[s]][:1])]
    return PairSplits(parts, facts | repeats.describe(), (*warnings, *repeats.warnings()))


def split_read_pairs(
    found: ReadPairs,
    given: Mapping[Split, ReadPairs],
    corpus: str,
    *,
    held_share: float,
    seed: int,
    all_translations: bool,
    deduplicate: bool,
) -> PairSplits:
    """The same for pairs read from files, with each file's facts and warnings. Raises DataError if a split would be
    empty."""
    splits = split_pairs(
        found.pairs,
        {split: part.pairs for split, part in given.items()},
        held_share=held_share,
        seed=seed,
        all_translations=all_translations,
        deduplicate=deduplicate,
    )
    for split, part in splits.parts.items():
        if not part:
            raise DataError(
                f"task.corpus={corpus}: {len(found.pairs)} pairs leave none for the {split} split",
                "give twenty pairs or more, of different sources",
            )
    for read in (found, *given.values()):
        splits = replace(splits, facts=splits.facts | read.facts, warnings=(*splits.warnings, *read.warnings))
    return splits


def only_complete(found: ReadPairs, where: str, key: str) -> list[Pair]:
    """Every pair that has both sides; the file's warnings are logged. Raises DataError if there is none."""
    pairs, warning = with_both_sides(found.pairs, f"{key}={where}")
    if not pairs:
        raise DataError(f"{key}={where}: no pair has both a source and a translation")
    for text in (*found.warnings, *filter(None, (warning,))):
        _log.warning("%s", text)
    return pairs
