"""Pairs into three splits in which no source of training stands again, and what was found on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seqlab.core.batch import HELD_OUT, Split
from seqlab.data.repeats import Repeats, in_both
from seqlab.data.splits import cut_items
from seqlab.data.words import same_text_key

Pair = tuple[str, str]


@dataclass(frozen=True)
class PairSplits:
    """The pairs of each split, and for Task.describe and Task.warnings what was left out or repeats."""

    parts: dict[Split, list[Pair]]
    facts: dict[str, str]
    warnings: tuple[str, ...]


def with_both_sides(pairs: Sequence[Pair], name: str) -> tuple[list[Pair], str]:
    """(the pairs with a source and a translation, what is said of those without: nothing where there are none)."""
    missing = [number for number, pair in enumerate(pairs, 1) if not all(pair)]
    said = (
        f"{len(missing):,} of the {len(pairs):,} pairs of {name} have no source or no translation (the first in line "
        f"{missing[0]}) and are left out: no figure counts them"
        if missing
        else ""
    )
    return [pair for pair in pairs if all(pair)], said


def split_pairs(
    pairs: list[Pair],
    given: Mapping[Split, list[Pair]],
    *,
    held_share: float,
    seed: int,
    all_translations: bool,
    deduplicate: bool,
) -> PairSplits:
    """Splits of a corpus, and of files `given` for validation and test, which are taken as they are.

    Pairs that lack a side are left out everywhere. A source of the corpus stands in one split: in training with all of
    its translations (or the first), in the others with the first. What stands in validation or test is left out of
    training, with `deduplicate` also where only case or composition differ.
    """
    facts: dict[str, str] = {}
    warnings: list[str] = []
    whole: dict[str, list[Pair]] = {"corpus": pairs, **{f"{split}_corpus": part for split, part in given.items()}}
    complete: dict[str, list[Pair]] = {}
    for name, part in whole.items():
        complete[name], said = with_both_sides(part, f"task.{name}")
        if said:
            missing = len(part) - len(complete[name])
            facts[f"pairs of task.{name} that lack a side, left out"] = f"{missing:,} of {len(part):,}"
            warnings.append(said)
    held_out = {split: complete[f"{split}_corpus"] for split in given}

    # in the order of each source's last pair, which the split of stored runs rests on
    translations: dict[str, dict[str, None]] = {source: {} for source in [*dict(reversed(complete["corpus"]))][::-1]}
    for source, target in complete["corpus"]:
        translations[source][target] = None
    several = [found for found in translations.values() if len(found) > 1]
    if several:
        more = f"{sum(map(len, several)) - len(several):,}"
        use = f"{more} more pairs for training" if all_translations else f"{more} pairs left out"
        facts["sources with several translations"] = f"{len(several):,} ({use})"
    if again := len(complete["corpus"]) - sum(map(len, translations.values())):
        facts["pairs that stand more than once, taken once"] = f"{again:,}"

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
